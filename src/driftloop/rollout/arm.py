"""Arm: what one bundle's predictors did since an earlier look."""

from __future__ import annotations

from collections.abc import Mapping

from driftloop.rollout.contrast import Moments
from driftloop.value import Value


class Arm(Value):
    """Requests, those that failed, and moments of what was answered.

    ``latency``: natural logarithm of milliseconds, a request; ``prediction``: a row; ``outcome``:
    a row whose outcome is mature.
    """

    requests: int = 0
    failed: int = 0
    latency: Moments = Moments()
    prediction: Moments = Moments()
    outcome: Moments = Moments()

    def __add__(self, other: Arm) -> Arm:
        """Return what both did."""
        return Arm(
            requests=self.requests + other.requests,
            failed=self.failed + other.failed,
            latency=self.latency + other.latency,
            prediction=self.prediction + other.prediction,
            outcome=self.outcome + other.outcome,
        )

    def since(self, before: Arm) -> Arm:
        """Return what was done since ``before``, of counters that only grow.

        Where one is smaller than before its process began anew, and all of it is new.
        """
        if self.requests < before.requests or self.outcome.n < before.outcome.n:
            return self
        return Arm(
            requests=self.requests - before.requests,
            failed=self.failed - before.failed,
            latency=_less(self.latency, before.latency),
            prediction=_less(self.prediction, before.prediction),
            outcome=_less(self.outcome, before.outcome),
        )


def _less(now: Moments, before: Moments) -> Moments:
    return Moments(
        n=now.n - before.n,
        total=now.total - before.total,
        square=now.square - before.square,
    )


class Seen(Value):
    """Counters of each process at the last look, so that each request counts once."""

    arms: Mapping[str, Arm] = {}

    def news(self, counters: Mapping[str, Arm]) -> Arm:
        """Return what all processes together did since."""
        whole = Arm()
        for name, arm in counters.items():
            whole += arm.since(self.arms.get(name, Arm()))
        return whole

    def after(self, counters: Mapping[str, Arm]) -> Seen:
        """Return the counters with the newer ones in place."""
        return Seen(arms={**self.arms, **counters})
