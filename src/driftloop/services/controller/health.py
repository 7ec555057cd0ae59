"""Health: whether what all loops need is there, looked at from time to time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from driftloop.resources.conditions import Condition

EVERY = timedelta(minutes=5)
"""Between two looks: a loop's condition is for people, its own calls find out sooner."""


class Health:
    """What ``look`` found last; None: nothing is looked at."""

    def __init__(self, look: Callable[[], Condition] | None = None) -> None:
        self._look = look
        self._found: tuple[datetime, Condition] | None = None

    def conditions(self, now: datetime) -> list[Condition]:
        """Return the condition to show, at most ``EVERY`` old."""
        if self._look is None:
            return []
        if self._found is None or now - self._found[0] >= EVERY:
            self._found = now, self._look()
        return [self._found[1]]
