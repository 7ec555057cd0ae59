"""Shadow on a laptop: the rows, the two models and the verdict on a candidate that nobody sees."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from driftloop.archive import Archive
from driftloop.decisions import ShadowJudged
from driftloop.evaluation import shadow
from driftloop.inference_log import InferenceLog
from driftloop.labels import join as labels
from driftloop.state import State
from driftloop.training.rows import without
from driftloop.usecase import UseCase
from driftloop_contracts import bundle
from driftloop_contracts.signature import Trusted


def judged(
    case: UseCase, archive: Archive, state: State, now: datetime, trusted: Trusted
) -> ShadowJudged | None:
    """Return the verdict on the bundle on its way, or None while too few rows are mature."""
    policy, rollout = case.loop.spec.rollout, state.rollout
    if rollout is None or not rollout.shadow or now - rollout.since < policy.hold:
        return None
    broken = [(one.start, one.end) for one in state.quarantine]
    rows = without(_mature(case, archive, rollout.since, now), broken)
    if len(rows) < max(policy.requests, rollout.requests):
        return None
    with tempfile.TemporaryDirectory() as folder:
        names = rollout.version, rollout.stable
        new, old = (_model(case, archive, name, Path(folder) / name, trusted) for name in names)
        rng = np.random.default_rng(rollout.passed.retraining)
        found = shadow.judge(case, rows, new, old, before=rollout.step, rng=rng)
    needed = len(rows) + max(found.lacking, 1)
    return ShadowJudged(rollout.version, found.verdict, found.reasons, needed)


def _mature(case: UseCase, archive: Archive, start: datetime, now: datetime) -> pd.DataFrame:
    loop, source = case.loop, case.loop.spec.label_source
    records = InferenceLog.of(archive.store, loop).read(start, now, shadow.columns(loop))
    if records.empty:
        return records
    reports = archive.outcomes(start, now, source.name)
    return labels.join(records, reports, source, now, loop.spec.objective.classes).rows


def _model(case: UseCase, archive: Archive, version: str, folder: Path, trusted: Trusted) -> Path:
    bundle.fetch(archive.store, case.loop.name, version, folder, trusted)
    return folder / bundle.MODEL
