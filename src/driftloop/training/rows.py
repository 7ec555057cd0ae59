"""Rows: the labelled rows of a training window, as they were known at the cut-off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from driftloop.labels import join as labels
from driftloop.labels import outcomes
from driftloop.labels.join import Joined
from driftloop.loop import LearningLoop
from driftloop.training import tally
from driftloop.training.tally import Tally
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import STANDS_FOR

if TYPE_CHECKING:
    from driftloop.archive import Archive
    from driftloop.inference_log import InferenceLog

RECORD_COLUMNS = ("prediction_id", "event_time", "weight")


def ingest(archive: Archive, log: InferenceLog, loop: LearningLoop, cutoff: datetime) -> Joined:
    """Return the window's records whose label is mature at ``cutoff``, as it was known then.

    Records are what predictors logged, and what was archived of before there were any. Raise
    InvalidInput where none has a label, or where too many of the outcomes make no sense.
    """
    start, source = cutoff - loop.spec.training.window, loop.spec.label_source
    records = asked(archive, log, loop, start, cutoff)
    reports = archive.outcomes(start, cutoff, source.name)
    found = labels.join(records, reports, source, cutoff, loop.spec.objective.classes)
    require_sense(Counter(found.rejected["reason"]), len(reports), loop)
    require_rows(len(found.rows), loop, cutoff)
    return found


def asked(
    archive: Archive, log: InferenceLog, loop: LearningLoop, start: datetime, end: datetime
) -> pd.DataFrame:
    """Return what was asked with ``start`` <= event_time < ``end``: archived, then logged."""
    names = wanted(loop)
    archived = archive.requests(start, end)
    outcomes.require(archived, RECORD_COLUMNS, "the archived requests")
    frames = [archived[[n for n in names if n in archived]], log.read(start, end, names)]
    found = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return found.drop_duplicates("prediction_id", ignore_index=True)


def wanted(loop: LearningLoop) -> list[str]:
    """Return the columns of a record that a training reads, of which there may be fewer."""
    features = loop.spec.features
    names = (*RECORD_COLUMNS, STANDS_FOR, *features.entities, *features.names(origin="request"))
    return list(dict.fromkeys(names))


def require_sense(rejected: Counter[str], reports: int, loop: LearningLoop) -> None:
    """Raise InvalidInput where more of the outcomes are set aside than ``data.maxRejected``.

    ``rejected``: how many were, by the reason; ``reports``: of how many.
    """
    allowed = loop.spec.data.max_rejected
    if rejected.total() > allowed * reports:
        mostly = tally.most(rejected)
        got = f"{rejected.total() / reports:.1%}, mostly: {mostly}"
        what = "outcomes that make no sense"
        raise InvalidInput(what, f"loop {loop.name}", f"at most {allowed:.1%}", got)


def require_rows(count: int, loop: LearningLoop, cutoff: datetime) -> None:
    """Raise InvalidInput where none of the window's records has a label."""
    if not count:
        what = "the training window"
        raise InvalidInput(what, f"loop {loop.name}", "labelled rows", f"none before {cutoff}")


def without(rows: pd.DataFrame, quarantine: Sequence[tuple[datetime, datetime]]) -> pd.DataFrame:
    """Return the rows outside every quarantined interval [start, end)."""
    times = rows["event_time"]
    for start, end in quarantine:
        rows = rows[(times < start) | (times >= end)]
        times = rows["event_time"]
    return rows.reset_index(drop=True)


def validate(
    rows: pd.DataFrame, loop: LearningLoop, rejected: pd.Series[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that keep the contract and, with a ``reason``, those that do not.

    ``rejected``: reasons of rows that were set aside before, which are bad ones as well. Raise
    InvalidInput for a missing column, too few rows, or a share of bad rows above
    ``data.maxRejected``; one value beyond its column's range makes a row bad.
    """
    good, bad = screened(rows, loop)
    seen = Tally()
    seen.add(good, bad, loop)
    if rejected is not None:
        seen.reject(rejected)
    seen.require(loop)
    return good, bad


def screened(rows: pd.DataFrame, loop: LearningLoop) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that keep the contract and, with a ``reason``, those that do not.

    Raise InvalidInput for a missing column; how many may be bad is a Tally's to say.
    """
    _require_columns(rows, loop)
    reason = _reasons(rows, loop)
    bad = reason != ""
    return rows[~bad].reset_index(drop=True), rows[bad].assign(reason=reason[bad])


def _require_columns(rows: pd.DataFrame, loop: LearningLoop) -> None:
    features = loop.spec.features
    needed = [*RECORD_COLUMNS, "positives", *features.entities]
    for name in [*needed, *features.names(origin="request")]:
        if name not in rows:
            raise InvalidInput(f"column '{name}'", "the training rows", "present", "nothing")


def _reasons(rows: pd.DataFrame, loop: LearningLoop) -> pd.Series[str]:
    reason = pd.Series("", index=rows.index)
    weight, positives = rows["weight"], rows["positives"]
    # Said as what must hold, so that a missing number does not pass.
    sound = (weight >= 1) & (positives >= 0) & (positives <= weight)
    reason[~sound] = "label outside 0..weight"
    for column in tally.request_columns(loop):
        low, high = column.range
        values = rows[column.name]
        if low is not None:
            reason[values < low] = f"{column.name} below {low}"
        if high is not None:
            reason[values > high] = f"{column.name} above {high}"
    return reason
