"""Shadow: the rows, the two models and the verdict on a candidate that nobody sees."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from driftloop.archive import Archive
from driftloop.cohorts.order import Order
from driftloop.decisions import ShadowJudged
from driftloop.evaluation import shadow
from driftloop.features import logged
from driftloop.inference_log import InferenceLog
from driftloop.labels import join as labels
from driftloop.training.rows import without
from driftloop.usecase import UseCase
from driftloop_contracts import bundle
from driftloop_contracts.object_store import ObjectStore
from driftloop_contracts.signature import Trusted


def judged(
    case: UseCase, store: ObjectStore, order: Order, now: datetime, trusted: Trusted
) -> ShadowJudged | None:
    """Return the verdict on the bundle in the shadow, or None while too few rows are mature."""
    policy, rollout = case.loop.spec.rollout, order.rollout
    if rollout is None or now - rollout.since < policy.hold:
        return None
    fewest = max(policy.requests, rollout.requests)
    if _count(case, store, rollout.since, now) < fewest:
        return None
    broken = [(one.start, one.end) for one in order.quarantine]
    rows = without(_mature(case, store, rollout.since, now), broken)
    if len(rows) < fewest:
        return None
    with tempfile.TemporaryDirectory() as folder:
        names = rollout.version, rollout.stable
        new, old = (_model(case, store, name, Path(folder) / name, trusted) for name in names)
        rng = np.random.default_rng(rollout.passed.retraining)
        cause = rollout.passed.cause or shadow.CAUSE
        found = shadow.judge(case, rows, new, old, before=rollout.step, rng=rng, cause=cause)
    gate = case.loop.spec.gate
    needed = shadow.rows_needed(len(rows), found.lacking, gate, rollout.step + 1)
    told = 1.0 if found.predicted is None else found.predicted
    return ShadowJudged(rollout.version, found.verdict, found.reasons, needed, rollout.step, told)


def _count(case: UseCase, store: ObjectStore, start: datetime, now: datetime) -> int:
    """Return how many records there are, which costs little while they are too few."""
    return len(InferenceLog.of(store, case.loop).read(start, now, ["prediction_id", "event_time"]))


def _mature(case: UseCase, store: ObjectStore, start: datetime, now: datetime) -> pd.DataFrame:
    loop, source = case.loop, case.loop.spec.label_source
    # Files of before a feature was logged say nothing of a candidate that reads it.
    every = logged.kinds(loop, ())
    kinds = {name: every[name] for name in loop.spec.features.names()}
    records = InferenceLog.of(store, loop).read(start, now, shadow.columns(loop), kinds)
    if records.empty:
        return records
    reports = Archive(store, loop.name).outcomes(start, now, source.name)
    return labels.join(records, reports, source, now, loop.spec.objective.classes).rows


def _model(case: UseCase, store: ObjectStore, version: str, folder: Path, trusted: Trusted) -> Path:
    bundle.fetch(store, case.loop.name, version, folder, trusted)
    return folder / bundle.MODEL
