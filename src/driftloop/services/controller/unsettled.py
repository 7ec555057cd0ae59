"""Unsettled: loops on their way from one bundle to another, to be looked at each second.

It hastens only: rounds look at every loop, and bring a way that takes long to its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Key = tuple[str, str]
"""A loop's namespace and name."""
SECONDS = 180.0
"""How long a way without a step is hastened: beyond, its pods do not start soon."""


class Unsettled:
    """Keeps since when each loop stands where it stands; ``clock`` in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[Key, tuple[Any, float]] = {}

    def note(self, key: Key, stands: Any, *, is_reached: bool) -> None:
        """Take where a loop stands now, and whether that is where it should."""
        if is_reached:
            self._since.pop(key, None)
        elif key not in self._since or self._since[key][0] != stands:
            self._since[key] = stands, self._clock()

    def due(self) -> list[Key]:
        """Return the loops to look at."""
        now = self._clock()
        # A copy, for other threads note meanwhile.
        return [key for key, (_, since) in list(self._since.items()) if now - since < SECONDS]

    def forget(self, key: Key) -> None:
        """Let go of a loop that is there no more."""
        self._since.pop(key, None)
