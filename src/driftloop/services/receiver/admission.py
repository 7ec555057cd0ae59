"""Admission: which CloudEvents of which sender become LoopEvents; it decides, nothing more."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from driftloop.loop import NAME
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import DriftloopError

OLDEST = timedelta(days=14)
"""Age at which an event is refused. LoopEvents are kept longer: a replay finds its name taken."""
FUTURE = timedelta(minutes=10)
"""How far a sender's clock may be ahead."""
SOURCE = re.compile(
    rf"/driftloop/(?P<loop>{NAME.strip('^$')})/(?P<part>[a-z]+)(/[A-Za-z0-9-]{{1,64}})?"
)
SAYS = {
    "sidecar": (event_types.WINDOW_SCORED, event_types.DRIFT_DETECTED),
    "cohort": (event_types.COHORT_SCORED, event_types.SHADOW_JUDGED),
    "review": (event_types.REVIEWED, event_types.STAGE_RETURNED),
}
"""What each part of a loop may say: by the last word of its source, the types."""
SIDECARS, JOBS = ("sidecar",), ("cohort", "review")
"""The parts that a pod of predictors speaks for, and those that a job does.

Whoever reaches a predictor may one day speak for its pod: it says nothing that promotes a bundle.
"""
USER = re.compile(
    r"system:serviceaccount:(?P<namespace>[a-z0-9-]{1,63}):(?P<name>[a-z0-9.-]{1,253})"
)


class Refused(DriftloopError):
    """An event that is not taken; ``status`` is the HTTP answer, ``reason`` its count's label."""

    def __init__(self, status: int, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Sender:
    """A ServiceAccount, as the API server named it; ``parts``: of a loop that it speaks for."""

    namespace: str
    name: str
    parts: tuple[str, ...]


def sender(username: str, allowed: Mapping[str, tuple[str, ...]]) -> Sender:
    """Return the sender that the API server authenticated; raise Refused for any other user.

    ``allowed``: the names of ServiceAccounts, and what each speaks for.

    >>> sender("system:serviceaccount:ads:driftloop-jobs", {"driftloop-jobs": JOBS}).namespace
    'ads'
    """
    found = USER.fullmatch(username)
    if found is None or found["name"] not in allowed:
        sentence = f"Only the ServiceAccounts {', '.join(sorted(allowed))} may send events."
        raise Refused(403, "forbidden", sentence)
    return Sender(found["namespace"], found["name"], allowed[found["name"]])


def loop_of(event: CloudEvent, parts: tuple[str, ...], now: datetime) -> str:
    """Return the loop that ``event`` is about; raise Refused where it cannot be taken.

    ``parts``: those that its sender speaks for.
    """
    found = SOURCE.fullmatch(event.source)
    if found is None or found["part"] not in parts:
        allowed = " or ".join(f"/driftloop/LOOP/{part}" for part in parts)
        raise Refused(400, "source", f"source in a CloudEvent must be {allowed}.")
    types = SAYS[found["part"]]
    if event.type not in types:
        raise Refused(400, "type", f"type in a CloudEvent must be one of {', '.join(types)}.")
    if not now - OLDEST <= event.time <= now + FUTURE:
        sentence = f"time in a CloudEvent must be at most {OLDEST.days} days ago and not to come."
        raise Refused(400, "time", sentence)
    if event.data.get("loop", found["loop"]) != found["loop"]:
        raise Refused(400, "source", "data.loop in a CloudEvent must be the loop of its source.")
    return found["loop"]
