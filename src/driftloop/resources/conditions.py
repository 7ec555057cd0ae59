"""Conditions in Kubernetes' own form: what is true of an object, since when, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftloop_contracts import times

LONGEST = 4096
"""Longest message that the API server takes, in characters."""


@dataclass(frozen=True)
class Condition:
    """One condition; ``true`` None means that nobody knows."""

    type: str
    true: bool | None
    reason: str
    message: str = ""


def merged(
    known: Sequence[dict[str, Any]], found: Sequence[Condition], now: datetime, generation: int
) -> list[dict[str, Any]]:
    """Return ``known`` with what was ``found``; a time changes only with its status.

    ``generation`` is the object's: `kubectl wait` disregards what was found on an older one.

    >>> now = datetime.fromisoformat("2026-01-01T00:00:00Z")
    >>> first = merged([], [Condition("Ready", False, "Starting")], now, 1)
    >>> later = merged(first, [Condition("Ready", False, "Pulling")], now.replace(day=2), 1)
    >>> later[0]["lastTransitionTime"], later[0]["reason"]
    ('2026-01-01T00:00:00Z', 'Pulling')
    """
    by_type = {condition["type"]: condition for condition in known}
    for condition in found:
        status = {True: "True", False: "False", None: "Unknown"}[condition.true]
        before = by_type.get(condition.type, {})
        since = before.get("lastTransitionTime") if before.get("status") == status else None
        by_type[condition.type] = {
            "type": condition.type,
            "status": status,
            "reason": condition.reason,
            "message": condition.message[:LONGEST],
            "lastTransitionTime": since or times.to_text(now),
            "observedGeneration": generation,
        }
    return list(by_type.values())
