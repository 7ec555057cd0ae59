"""Matured: records whose outcome is decided, as sums, judged against their bundle's concept. Pure.

Records become mature day after day; their sums grow until a window's worth of rows is there,
then they are judged with the loop's budget of false alarms, as windows of inputs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, ValidationError

from driftloop.drift import wording
from driftloop.loop import Drift
from driftloop.value import Value
from driftloop_contracts import event_types
from driftloop_contracts.drift import concept, level
from driftloop_contracts.drift.finding import Test
from driftloop_contracts.errors import InvalidInput


class Matured(Value):
    """Mature records of one bundle.

    ``start``, ``end``: when they were asked; ``period``: how long it took them to become mature
    one after another; ``tests``: on any window of the loop; ``concept``, ``seen``: as an event
    carries them.
    """

    bundle: str
    start: datetime
    end: datetime
    period: timedelta
    rows: int = Field(ge=0)
    tests: int = Field(gt=0)
    concept: dict[str, Any]
    seen: dict[str, Any]

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
        """Return whether it is to be judged, by the limits of a window."""
        return self.rows >= drift.window.rows or self.period >= drift.window.max_duration

    def shift(self, drift: Drift) -> str:
        """Return the evidence that outcomes left the predictions; nothing where they did not."""
        seconds = self.period.total_seconds()
        alpha = level.of_test(drift.false_alarms.per_second, seconds, self.tests)
        known, seen = concept.from_data(self.concept), concept.followed(self.seen)
        shifts: Sequence[Test] = [test for test in known.judge(seen, alpha) if test.shift]
        return wording.outcomes(shifts, *known.rates(seen), known.min_effect) if shifts else ""


def from_data(data: object) -> Matured:
    """Return the mature records that an event tells of; raise InvalidInput for anything else."""
    try:
        found = Matured.model_validate(data)
    except ValidationError as error:
        raise InvalidInput("outcomes", event_types.COHORT_SCORED, "sums", str(error)) from error
    # Both have as many bins, or this says so.
    concept.from_data(found.concept).usual + concept.followed(found.seen)
    return found
