"""Events: what a cohort job tells, by names that follow from what it is about alone. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from driftloop.decisions import ShadowJudged
from driftloop.rollout.progress import Progress
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent


def scored(loop_name: str, end: datetime, data: dict[str, Any]) -> CloudEvent:
    """Return the event of the cohort that ended at ``end``."""
    identity = f"cohort/{times.to_text(end)}"
    return CloudEvent(identity, source(loop_name), event_types.COHORT_SCORED, end, data)


def judged(loop_name: str, found: ShadowJudged, rollout: Progress, now: datetime) -> CloudEvent:
    """Return the event of a judgement on the bundle of ``rollout``: there is one of each step.

    A second look at the same step would spend the chance of an error that the first one had.
    """
    data = {
        "retraining": f"{loop_name}-{rollout.passed.retraining}",
        "version": found.version,
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "needed": found.needed,
        "step": rollout.step,
        "predicted": found.predicted,
    }
    identity = f"shadow/{found.version}/{times.to_text(rollout.since)}/{rollout.step}"
    return CloudEvent(identity, source(loop_name), event_types.SHADOW_JUDGED, now, data)


def source(loop_name: str) -> str:
    """Return what a loop's cohort job calls itself."""
    return f"/driftloop/{loop_name}/cohort"
