"""Arm: what one bundle's predictors did since an earlier look."""

from __future__ import annotations

from collections.abc import Mapping

from driftloop.rollout.contrast import Moments
from driftloop.rollout.entities import Entities
from driftloop.value import Value

REMEMBERED = 20
"""Looks that a process may miss and still be known."""


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

    def grew(self, before: Arm) -> bool:
        """Whether these are later counters of the process that told ``before``."""
        mine, known = self._counts(), before._counts()
        return self.requests > before.requests and all(
            a >= b for a, b in zip(mine, known, strict=True)
        )

    def _counts(self) -> tuple[int, int, int, int]:
        recorded = sum(self.entities.n)
        return self.failed, self.latency.n, self.prediction.n, recorded

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

    A process that begins anew has another name; ``missed``: looks since one was last heard of.
    """

    arms: Mapping[str, Arm] = {}
    missed: Mapping[str, int] = {}

    def news(self, counters: Mapping[str, Arm], *, from_start: bool) -> Arm:
        """Return what all processes together did since.

        ``from_start``: whether one that was not seen before counts as a whole; otherwise it only
        begins to be watched. Fewer requests than before are an older look, and no news.
        """
        whole = Arm()
        for name, arm in counters.items():
            before = self.arms.get(name, Arm() if from_start else arm)
            if arm.grew(before):
                whole += arm.since(before)
        return whole

    def after(self, counters: Mapping[str, Arm]) -> Seen:
        """Return the counters with those of a newer look in place; who is long gone is let go."""
        newer = {
            name: arm
            for name, arm in counters.items()
            if name not in self.arms or arm.requests >= self.arms[name].requests
        }
        every = {**self.arms, **newer}
        missed = {name: self.missed.get(name, 0) + 1 for name in every if name not in counters}
        gone = {name for name, looks in missed.items() if looks > REMEMBERED}
        return Seen(
            arms={name: arm for name, arm in every.items() if name not in gone},
            missed={name: looks for name, looks in missed.items() if name not in gone},
        )
