"""Counters: what a predictor answered since its start, as a rollout compares two bundles by it."""

from __future__ import annotations

import math
import threading
import uuid

from driftloop.rollout.arm import Arm
from driftloop.rollout.contrast import Moments
from driftloop.rollout.entities import Array, Entities, counted

Sums = tuple[int, float, float]


class Counters:
    """Requests, failures, latencies and predictions; safe to share between threads.

    A request that its caller got wrong counts as neither answered nor failed. ``run`` names this
    start of the process, since all counters begin anew with it.
    """

    def __init__(self) -> None:
        self.run = uuid.uuid4().hex[:12]
        self._lock = threading.Lock()
        self._failed = 0
        self._latency: Sums = (0, 0.0, 0.0)
        self._prediction: Sums = (0, 0.0, 0.0)
        self._entities = Entities()

    def answered(self, milliseconds: float, predictions: list[float]) -> None:
        """Count a request that was answered; one whose prediction is no number has failed."""
        if not all(map(math.isfinite, predictions)):
            self.failed()
            return
        latency = math.log(max(milliseconds, 1e-3))
        total, square = math.fsum(predictions), math.fsum(p * p for p in predictions)
        with self._lock:
            self._latency = _plus(self._latency, (1, latency, latency**2))
            self._prediction = _plus(self._prediction, (len(predictions), total, square))

    def recorded(self, entities: Array, predictions: Array) -> None:
        """Count of whom rows were; not while they are answered, for it takes its time."""
        more = counted(entities, predictions)
        with self._lock:
            self._entities += more

    def failed(self) -> None:
        """Count a request that failed through no fault of its caller."""
        with self._lock:
            self._failed += 1

    def arm(self) -> Arm:
        """Return all that was counted."""
        with self._lock:
            failed, latency, prediction = self._failed, self._latency, self._prediction
            entities = self._entities
        return Arm(
            requests=latency[0] + failed,
            failed=failed,
            latency=_moments(latency),
            prediction=_moments(prediction),
            entities=entities,
        )


def _plus(known: Sums, more: Sums) -> Sums:
    return known[0] + more[0], known[1] + more[1], known[2] + more[2]


def _moments(sums: Sums) -> Moments:
    return Moments(n=sums[0], total=sums[1], square=sums[2])
