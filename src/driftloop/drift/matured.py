"""Matured: records whose outcome is decided, as sums, judged against their bundle's concept. Pure.

Records become mature day after day; their sums grow until a window's worth of rows is there,
then they are judged with the loop's budget of false alarms, as windows of inputs are. A slice
grows by itself: it takes it longer to be a window's worth, and its level follows from its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, ValidationError

from driftloop.drift import wording
from driftloop.drift.slices import MOST
from driftloop.loop import Drift
from driftloop.value import Value
from driftloop_contracts import event_types
from driftloop_contracts.drift import concept, level
from driftloop_contracts.drift.finding import Test
from driftloop_contracts.errors import InvalidInput


class Matured(Value):
    """Mature records of one bundle.

    ``start``, ``end``: when they were asked; ``period``: how long it took them to become mature
    one after another; ``tests``: on any window of the loop, of a slice with its share
    (level.shared); ``concept``, ``seen``: as an event carries them; ``slice``: '' for all records.
    """

    bundle: str
    start: datetime
    end: datetime
    period: timedelta
    rows: int = Field(ge=0)
    tests: int = Field(gt=0)
    concept: dict[str, Any]
    seen: dict[str, Any]
    slice: str = Field(default="", max_length=200)

    def __add__(self, other: Matured) -> Matured:
        """Return both together."""
        both = concept.followed(self.seen) + concept.followed(other.seen)
        return self.model_copy(
            update={
                "start": min(self.start, other.start),
                "end": max(self.end, other.end),
                "period": self.period + other.period,
                "rows": self.rows + other.rows,
                "seen": both.to_data(),
            }
        )

    def is_complete(self, drift: Drift) -> bool:
        """Return whether it is to be judged, by the limits of a window.

        A slice waits for as many likely positives as its bins need, which predictions tell.
        """
        if self.period >= drift.window.max_duration:
            return True
        if self.rows < drift.window.rows:
            return False
        return not self.slice or concept.followed(self.seen).likely >= concept.SLICE_LIKELY

    def judge(self, drift: Drift) -> Followed:
        """Return whether outcomes left the predictions."""
        seconds = self.period.total_seconds()
        alpha = level.of_test(drift.false_alarms.per_second, seconds, self.tests)
        known, seen = concept.from_data(self.concept), concept.followed(self.seen)
        tests = tuple(known.judge(seen, alpha))
        return Followed(self, *known.rates(seen), tests, known.min_effect, alpha)


@dataclass(frozen=True)
class Followed:
    """What mature records show: how many came, ``observed``, and how many were to, ``expected``.

    ``expected``: what was predicted, put right by how far the model was off on its held-out rows.
    """

    part: Matured
    observed: float
    expected: float
    tests: tuple[Test, ...]
    min_effect: float
    level: float

    @property
    def shifts(self) -> tuple[Test, ...]:
        """Return the tests that are sure and large enough."""
        return tuple(test for test in self.tests if test.shift)

    @property
    def effect(self) -> float:
        """Return the largest effect (Cohen's h) of what shifted."""
        return max((test.effect for test in self.shifts), default=0.0)

    def held(self) -> str:
        """Return that the outcomes follow the predictions although the inputs moved."""
        sure = [test for test in self.tests if test.p_value < self.level]
        effect = max(test.effect for test in sure or self.tests[:1])
        rates = self.observed, self.expected
        return wording.held(*rates, effect, self.min_effect, bool(sure))

    def sentence(self, moved: bool) -> str:
        """Return the evidence of concept drift; ``moved``: the inputs did, at the same time."""
        rates = self.observed, self.expected
        return wording.concept(self.part.slice, self.shifts, *rates, self.min_effect, moved)


def slices_of(data: object) -> tuple[Matured, ...]:
    """Return the slices that an event tells of; raise InvalidInput for anything else."""
    if not isinstance(data, list) or len(data) > MOST:
        what, allowed = "slices", f"a list of at most {MOST}"
        raise InvalidInput(what, event_types.COHORT_SCORED, allowed, data)
    return tuple(map(from_data, data))


def from_data(data: object) -> Matured:
    """Return the mature records that an event tells of; raise InvalidInput for anything else."""
    try:
        found = Matured.model_validate(data)
    except ValidationError as error:
        raise InvalidInput("outcomes", event_types.COHORT_SCORED, "sums", str(error)) from error
    # Both have as many bins, or this says so.
    concept.from_data(found.concept).usual + concept.followed(found.seen)
    return found
