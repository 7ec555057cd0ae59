"""Schedules: which CronJobs this controller applied, so that a loop at rest costs no call."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock

from driftloop.adapters.kubernetes_objects import Object

AGAIN = timedelta(minutes=10)
"""After so long one is applied again: somebody may have changed or deleted it."""


class Schedules:
    """What was applied last for each loop, by namespace and name, and when."""

    def __init__(self) -> None:
        self._applied: dict[tuple[str, str], tuple[Object, datetime]] = {}
        self._lock = Lock()

    def is_due(self, key: tuple[str, str], content: Object, now: datetime) -> bool:
        """Return whether ``content`` is to be applied now, and take it for applied.

        >>> schedules, now = Schedules(), datetime(2026, 1, 1)
        >>> [schedules.is_due(("ads", "a"), {"b": 1}, now) for _ in range(2)]
        [True, False]
        """
        with self._lock:
            known = self._applied.get(key)
            if known and known[0] == content and now - known[1] < AGAIN:
                return False
            self._applied[key] = content, now
            return True
