"""Arm: what one bundle's predictors did since an earlier look."""

from __future__ import annotations

from collections.abc import Mapping

from driftloop.rollout.contrast import Moments
from driftloop.rollout.entities import Entities
from driftloop.value import Value


class Arm(Value):
    """Requests, those that failed, and moments of what was answered.

    ``latency``: natural logarithm of milliseconds, a request; ``prediction``: a row; ``entities``:
    the predictions of the rows that were recorded.
    """

    requests: int = 0
    failed: int = 0
    latency: Moments = Moments()
    prediction: Moments = Moments()
    entities: Entities = Entities()

    def __add__(self, other: Arm) -> Arm:
        """Return what both did."""
        return Arm(
            requests=self.requests + other.requests,
            failed=self.failed + other.failed,
            latency=self.latency + other.latency,
            prediction=self.prediction + other.prediction,
            entities=self.entities + other.entities,
        )

    def since(self, before: Arm) -> Arm:
        """Return what was done since ``before``, of counters that only grow."""
        return Arm(
            requests=self.requests - before.requests,
            failed=self.failed - before.failed,
            latency=self.latency - before.latency,
            prediction=self.prediction - before.prediction,
            entities=self.entities - before.entities,
        )


class Seen(Value):
    """Counters of each process at the newest look, so that each request counts once.

    A process that begins anew has another name.
    """

    arms: Mapping[str, Arm] = {}

    def news(self, counters: Mapping[str, Arm], *, from_start: bool) -> Arm:
        """Return what all processes together did since.

        ``from_start``: whether one that was not seen before counts as a whole; otherwise it only
        begins to be watched. Fewer requests than before are an older look, and no news.
        """
        whole = Arm()
        for name, arm in counters.items():
            before = self.arms.get(name, Arm() if from_start else arm)
            if arm.requests > before.requests:
                whole += arm.since(before)
        return whole

    def after(self, counters: Mapping[str, Arm]) -> Seen:
        """Return the counters with those of a newer look in place."""
        newer = {
            name: arm
            for name, arm in counters.items()
            if name not in self.arms or arm.requests >= self.arms[name].requests
        }
        return Seen(arms={**self.arms, **newer})
