"""Token buckets: how many events each namespace may send, in bursts and in the long run."""

from __future__ import annotations

import threading
from collections import OrderedDict

KEYS = 10_000
"""Buckets remembered; the one unused for longest is forgotten, and so full, first."""


class Buckets:
    """One bucket a key: ``burst`` at once, refilled at ``per_second``."""

    def __init__(self, burst: float, per_second: float) -> None:
        self._burst, self._rate = burst, per_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str, now: float) -> float:
        """Take one token at ``now`` (seconds); return 0, or the seconds to wait where none is left.

        >>> buckets = Buckets(burst=1, per_second=0.5)
        >>> buckets.take("ads", 0.0), buckets.take("ads", 0.0), buckets.take("ads", 2.0)
        (0.0, 2.0, 0.0)
        """
        with self._lock:
            left, since = self._left.pop(key, (self._burst, now))
            left = min(self._burst, left + max(0.0, now - since) * self._rate)
            wait = 0.0 if left >= 1 else (1 - left) / self._rate
            self._left[key] = (left - 1 if not wait else left, now)
            if len(self._left) > KEYS:
                self._left.popitem(last=False)
            return wait
