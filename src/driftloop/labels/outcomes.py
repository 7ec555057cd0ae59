"""Outcomes: what became of predictions, each with the time it was known.

One row per report: ``prediction_id`` (str), ``label`` (the label source it is of), ``value``
(the positives: 0 or 1, of an aggregate 0 to its weight), ``event_time`` (UTC; when it happened,
of a count when it was asked), ``known_time`` (UTC) and ``revision`` (0, 1, ...; a higher one
replaces a lower one). Where outcomes are classes, ``category`` (str) says which, and the value
is 1. Reports come in any order, late, twice, corrected, or never.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from driftloop import instants
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY

COLUMNS = ("prediction_id", "label", "value", "event_time", "known_time", "revision")


def require(frame: pd.DataFrame, columns: Iterable[str], where: str) -> None:
    """Raise InvalidInput for the first of ``columns`` that ``frame`` lacks."""
    for name in columns:
        if name not in frame:
            raise InvalidInput(f"column '{name}'", where, "present", "nothing")


def known(
    outcomes: pd.DataFrame, label: str, cutoff: pd.Timestamp, classes: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the reports on ``label`` known at ``cutoff`` (inclusive), or not said when.

    ``classes``: where outcomes are one of these, the reports have a ``category``.
    """
    columns = [*COLUMNS, *([CATEGORY] if classes else [])]
    # A day whose reports all lack it may have no such column.
    if classes and CATEGORY not in outcomes:
        outcomes = outcomes.assign(**{CATEGORY: None})
    require(outcomes, columns, "the outcomes")
    late = instants.column(outcomes, "known_time", "the outcomes") > cutoff
    found = outcomes.loc[(outcomes["label"] == label) & ~late, columns]
    times = {name: instants.column(found, name, "the outcomes") for name in COLUMNS[3:5]}
    counts = {name: numbers(found[name]) for name in ("value", "revision")}
    return found.assign(**times, **counts)


def screened(found: pd.DataFrame, classes: Sequence[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the reports that make sense and, with a ``reason``, those that do not."""
    ids, value, revision = found["prediction_id"], found["value"], found["revision"]
    happened, said = found["event_time"], found["known_time"]
    reasons = {
        "no prediction_id": ids.isna() | (ids == ""),
        "no event_time or known_time": happened.isna() | said.isna(),
        "known before it happened": said < happened,
        # Said as what must hold, so that a missing number does not pass.
        "revision not 0, 1, ...": ~((revision >= 0) & (revision % 1 == 0) & (revision < 2**53)),
        "value not a number from 0": ~((value >= 0) & np.isfinite(value)),
    }
    if classes:
        reasons["value not 1, of a category"] = value != 1
        reasons["category not one of the classes"] = ~found[CATEGORY].isin(list(classes))
    return set_aside(found, reasons)


def set_aside(
    found: pd.DataFrame, reasons: dict[str, pd.Series[bool]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows no reason holds of, and the others with the first ``reason`` that does.

    The others are in an order of their own, so that the order of arrival is not seen.
    """
    reason = np.select([bad.to_numpy("bool") for bad in reasons.values()], list(reasons), "")
    sound = reason == ""
    others = found[~sound].assign(reason=reason[~sound])
    by = ["reason", "known_time", "event_time", "value", "revision", "prediction_id"]
    return found[sound], others.sort_values(by, ignore_index=True, key=_sortable)


def _sortable(values: pd.Series[Any]) -> pd.Series[Any]:
    return values.astype(str) if values.name == "prediction_id" else values


def numbers(values: pd.Series[float]) -> pd.Series[float]:
    """Return ``values`` as floats, NaN where one is missing or no number."""
    return pd.to_numeric(values, errors="coerce").astype("Float64").astype("float64")
