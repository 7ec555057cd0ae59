"""Admission: which CloudEvents of which sender become LoopEvents; it decides, nothing more."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from driftloop.loop import NAME
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import DriftloopError

TYPES = (event_types.WINDOW_SCORED, event_types.DRIFT_DETECTED, event_types.COHORT_SCORED)
"""What a loop's own sidecar and jobs may say."""
OLDEST = timedelta(days=14)
"""Age at which an event is refused. LoopEvents are kept longer: a replay finds its name taken."""
FUTURE = timedelta(minutes=10)
"""How far a sender's clock may be ahead."""
SOURCE = re.compile(
    rf"/driftloop/(?P<loop>{NAME.strip('^$')})/(sidecar|cohort)(/[A-Za-z0-9-]{{1,64}})?"
)
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
    """A ServiceAccount, as the API server named it."""

    namespace: str
    name: str


def sender(username: str, allowed: Collection[str]) -> Sender:
    """Return the sender that the API server authenticated; raise Refused for any other user.

    >>> sender("system:serviceaccount:ads:driftloop-predictor", {"driftloop-predictor"}).namespace
    'ads'
    """
    found = USER.fullmatch(username)
    if found is None or found["name"] not in allowed:
        sentence = f"Only the ServiceAccounts {', '.join(sorted(allowed))} may send events."
        raise Refused(403, "forbidden", sentence)
    return Sender(found["namespace"], found["name"])


def loop_of(event: CloudEvent, now: datetime) -> str:
    """Return the loop that ``event`` is about; raise Refused where it cannot be taken."""
    if event.type not in TYPES:
        raise Refused(400, "type", f"type in a CloudEvent must be one of {', '.join(TYPES)}.")
    found = SOURCE.fullmatch(event.source)
    if found is None:
        raise Refused(400, "source", "source in a CloudEvent must be /driftloop/LOOP/sidecar.")
    if not now - OLDEST <= event.time <= now + FUTURE:
        sentence = f"time in a CloudEvent must be at most {OLDEST.days} days ago and not to come."
        raise Refused(400, "time", sentence)
    if event.data.get("loop", found["loop"]) != found["loop"]:
        raise Refused(400, "source", "data.loop in a CloudEvent must be the loop of its source.")
    return found["loop"]
