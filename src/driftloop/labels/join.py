"""Join: records with what became of them, as it was known at a cut-off.

A record is mature when its age is at least its label source's maturity. Younger ones are left
out even if a positive has come: "not yet" is not "no", and to keep the early positives alone
would bias the rate upwards. A mature record without an outcome is left out or is a negative, as
its source says. What is known after maturity still counts, from when it is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from driftloop import instants
from driftloop.instants import Micros
from driftloop.labels import maturity, outcomes, pairing
from driftloop.labels.coverage import Coverage
from driftloop.labels.delays import Claims
from driftloop.labels.maturity import Maturity
from driftloop.labels.pairing import Paired
from driftloop.spec.data import LabelSource
from driftloop_contracts.inference import CATEGORY, CHOSEN


@dataclass(frozen=True)
class Joined:
    """The labelled rows, what is not among them and why, and how it adds up.

    ``rows``: the mature records that have a label, in order, with ``positives`` (0 to weight)
    and ``decided_time``, from when on they were mature and had one (whatever it was then); where
    outcomes are classes, also with the ``category``, and ``positives`` is the weight of a record
    whose answer was right: of records that do not say their answer, the weight.
    ``rejected``: reports set aside, each once, with a ``reason``.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    coverage: Coverage
    maturity: Maturity


def join(
    records: pd.DataFrame,
    reports: pd.DataFrame,
    source: LabelSource,
    cutoff: datetime,
    classes: Sequence[str] = (),
) -> Joined:
    """Return the mature ``records`` with the positives of ``source`` known at ``cutoff``.

    ``records``: prediction_id (unique), event_time, weight (at least 1) and any other column,
    of which ``stands_for`` says how many rows a record stands for (1 unless said);
    ``reports``: as outcomes.py says; ``classes``: that outcomes are one of, if they are, and then
    ``predicted_class`` of a record is its answer. Nothing later than the cut-off is looked at.
    Raise InvalidInput for a missing column, a time without its zone and an id that is there twice.

    >>> days = pd.date_range("2026-01-01", periods=3, tz="UTC", unit="us")
    >>> asked = pd.DataFrame({"prediction_id": list("abc"), "event_time": days, "weight": 1.0})
    >>> click = {"prediction_id": "a", "label": "click", "value": 1.0, "revision": 0}
    >>> click |= {"event_time": days[0], "known_time": days[1]}
    >>> source = LabelSource(name="click", maturity="1d", absent="negative")
    >>> found = join(asked, pd.DataFrame([click]), source, days[2])
    >>> found.rows["positives"].tolist(), found.coverage.immature
    ([1.0, 0.0], 1)
    """
    now = instants.utc(cutoff)
    asked = pairing.asked(records, now)
    paired = pairing.pair(asked, outcomes.known(reports, source.name, now, classes), classes)
    age = instants.micros(now - asked["event_time"])
    arrivals = _delayed(paired.history.arrivals().set_index("of"), "known_time", age, now)
    wait = maturity.of(source, arrivals["delay"].to_numpy(), age[arrivals.index])
    mature = age >= instants.length(wait.duration)
    labels = _delayed(paired.history.latest(), "settled", age, now)
    labels = labels[mature[labels.index]]
    rows = _rows(asked, labels, mature, source, wait)
    return Joined(rows, paired.rejected, _coverage(mature, labels, rows, paired, wait), wait)


def _delayed(found: pd.DataFrame, known: str, age: Micros, now: pd.Timestamp) -> pd.DataFrame:
    """Return ``found``, by its record's place, with the ``delay`` of ``known`` after the record."""
    return found.assign(delay=age[found.index] - instants.micros(now - found[known]))


def _rows(
    asked: pd.DataFrame, labels: pd.DataFrame, mature: Claims, source: LabelSource, wait: Maturity
) -> pd.DataFrame:
    positives = np.full(len(asked), 0.0 if source.absent == "negative" else np.nan)
    # An outcome is of one row; its record's weight counts the rows that it stands for as well.
    positives[labels.index] = labels["value"] * pairing.stands_for(asked)[labels.index]
    named = {}
    if CATEGORY in labels:
        named = {CATEGORY: labels[CATEGORY].reindex(asked.index)}
        positives = _right(asked, named[CATEGORY])
    kept = mature & ~np.isnan(positives)
    rows: pd.DataFrame = asked.assign(positives=positives, **named)[kept]
    # Of the mature alone: a maturity may be longer than any calendar.
    matured = rows["event_time"] + wait.duration if len(rows) else rows["event_time"]
    known = labels["first_known"].reindex(rows.index)
    # Without a report a record was negative from maturity on: a late one only corrects it.
    late = (known > matured) & (source.absent == "unknown")
    rows["decided_time"] = matured.where(~late, known)
    return rows.reset_index(drop=True)


def _right(asked: pd.DataFrame, category: pd.Series[Any]) -> Any:
    """Return the weight where the answer was right, 0 where not, NaN where either is not known."""
    answer = asked.get(CHOSEN, category)
    known = category.notna() & answer.notna()
    return np.where(known, asked["weight"] * (answer == category), np.nan)


def _coverage(
    mature: Claims, labels: pd.DataFrame, rows: pd.DataFrame, paired: Paired, wait: Maturity
) -> Coverage:
    return Coverage(
        records=len(mature),
        immature=int((~mature).sum()),
        labelled=len(labels),
        assumed_negative=len(rows) - len(labels),
        unknown=int(mature.sum()) - len(rows),
        late=int((labels["delay"] > instants.length(wait.duration)).sum()),
        corrected=int((labels["settled"] > labels["first_known"]).sum()),
        duplicates=paired.duplicates,
        conflicts=paired.history.conflicts,
        orphans=paired.orphans,
        rejected=dict(sorted(Counter(paired.rejected["reason"]).items())),
        maturity_seconds=int(wait.duration.total_seconds()),
        maturity_estimated=wait.estimated,
        maturity_reason=wait.reason,
    )
