"""Run slots: how many pipeline runs may go on at once, over all loops of an installation.

A table that breaks upstream may shift the features of a thousand loops in one hour; each is to
retrain, and none sooner than the cluster can bear. A Retraining without a slot stays pending.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from driftloop.adapters.kubernetes_objects import Objects

HELD = ("Starting", "Running")
"""Phases of a Retraining that holds a slot."""
PAUSE = 5.0
"""Seconds for which all slots are taken for held, once they were: a thousand loops may wait."""


class RunSlots:
    """``most`` slots (0: no limit); ``namespaces``: those that are counted (none: all).

    Each replica of a controller counts before it starts a run; two that do so in one moment may
    together start one more than there are slots.
    """

    def __init__(
        self,
        objects: Objects,
        most: int,
        namespaces: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objects, self._most, self._clock = objects, most, clock
        self._namespaces = namespaces or ("",)
        self._full_until = 0.0

    def free(self) -> bool:
        """Return whether another run may start."""
        if not self._most:
            return True
        if self._clock() < self._full_until:
            return False
        if self._held() < self._most:
            return True
        self._full_until = self._clock() + PAUSE
        return False

    def _held(self) -> int:
        found = [one for name in self._namespaces for one in self._objects.list("Retraining", name)]
        return sum((one.get("status") or {}).get("phase") in HELD for one in found)
