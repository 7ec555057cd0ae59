"""Cohort: mature outcomes joined with what was predicted, as a few numbers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop.drift.concept import Watched
from driftloop.evaluation import beside, kpi, numbers
from driftloop.labels import join as labels
from driftloop.loop import LearningLoop
from driftloop_contracts import times
from driftloop_contracts.inference import CHOSEN, STANDS_FOR

COLUMNS = (
    "prediction_id",
    "event_time",
    "weight",
    "prediction",
    "bundle_version",
    STANDS_FOR,
)
"""What every loop's cohorts are made of, in the inference log."""
WAITED = timedelta(days=7)
"""How long after maturity a label is waited for; later ones count in training only."""


def columns(loop: LearningLoop) -> tuple[str, ...]:
    """Return what a loop's cohorts are made of, in the inference log."""
    gate, chosen = loop.spec.gate, (CHOSEN,) if loop.spec.objective.classes else ()
    return tuple(dict.fromkeys((*COLUMNS, gate.entity, *gate.slices.columns, *chosen)))


def decided(loop: LearningLoop, confidence: Any) -> Any:
    """Return whether each answer among classes was given; None where there are no classes."""
    if not loop.spec.objective.classes:
        return None
    costs, values = loop.spec.charter.costs, np.asarray(confidence, "float64")
    return costs.decided(values) if costs else np.ones(len(values), bool)


def since(loop: LearningLoop, start: datetime) -> datetime:
    """Return from when on records can belong to the cohort that begins at ``start``."""
    return start - loop.spec.label_source.maturity - loop.spec.drift.window.min_duration - WAITED


def between(
    records: pd.DataFrame,
    outcomes: pd.DataFrame,
    loop: LearningLoop,
    start: datetime,
    end: datetime,
    watched: Watched | None = None,
) -> dict[str, Any] | None:
    """Return what is told of the records that became mature, or labelled, after ``start``.

    ``records``: of the inference log with ``columns``; ``outcomes``: those known at ``end``
    (inclusive); ``watched``: the bundle whose records are compared with its concept. A record is
    in one cohort alone: it is not judged again when its label is corrected. None where there is
    no such record.
    """
    # A score is waited for as long as it takes; a maturity found from delays would move.
    source = loop.spec.label_source.model_copy(update={"completeness": None})
    classes = loop.spec.objective.classes
    if classes and CHOSEN not in records:  # None of them was answered so.
        return None
    found = labels.join(records, outcomes, source, end, classes)
    seen = _seen(found.rows, loop)
    rows = found.rows[(seen > start) & (seen <= end)]
    if rows.empty:
        return None
    given = decided(loop, rows["prediction"])
    values = numbers.score(rows["prediction"], rows["positives"], rows["weight"], given).values()
    asked = rows["event_time"]
    by_slice = watched.by_slice(rows, end - start) if watched else []
    told: dict[str, Any] = {"slices": by_slice} if by_slice else {}
    return (
        values
        | told
        | {
            "kpi": kpi.evaluate(loop.spec.objective.kpi.formula, values),
            "start": times.to_text(asked.min().floor("D").to_pydatetime()),
            "end": times.to_text(asked.max().ceil("D").to_pydatetime()),
            "coverage": found.coverage.share,
            "outcomes": watched.told(rows, end - start) if watched else None,
            "beside": beside.compare(rows, loop),
        }
    )


def _seen(rows: pd.DataFrame, loop: LearningLoop) -> pd.Series[pd.Timestamp]:
    """Return when a cohort could first have a record: decided, and its window in the log."""
    window = pd.Timedelta(loop.spec.drift.window.min_duration)
    logged = rows["event_time"].dt.floor(window) + window
    seen: pd.Series[pd.Timestamp] = rows["decided_time"].where(
        rows["decided_time"] > logged, logged
    )
    return seen
