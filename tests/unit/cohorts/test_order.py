"""The order: what a job is told of a loop, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftloop.cohorts import order
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.state import Interval, State
from driftloop_contracts.errors import InvalidInput

START = datetime(2026, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def state(**changed: Any) -> State:
    passed = Passed(version="0002-b", retraining=2, data_end=START)
    rollout = Progress(passed=passed, stable="0001-a", since=START, shadow=True)
    broken = (
        Interval(start=START - 3 * DAY, end=START - DAY),
        Interval(start=START, end=START + DAY),
    )
    known = State(champion="0001-a", rollout=rollout, quarantine=broken)
    return known.model_copy(update=changed)


def test_a_bundle_in_the_shadow_is_told_with_what_was_broken_since() -> None:
    found = order.parse(order.of(state(), {"image": "x"}).to_json())
    assert (found.champion, found.spec) == ("0001-a", {"image": "x"})
    assert found.rollout == state().rollout
    assert found.quarantine == state().quarantine[1:]


def test_a_canary_is_no_business_of_the_job() -> None:
    """Its order stays the same from look to look, so its CronJob does too."""
    rollout = state().rollout
    assert rollout is not None
    seen = state(rollout=rollout.model_copy(update={"shadow": False}))
    assert order.of(seen) == order.Order(champion="0001-a")


@pytest.mark.parametrize("text", ["{", "[]", '{"champion": 1}', '{"rollout": {}}', '{"more": 1}'])
def test_what_is_no_order_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(InvalidInput, match="in the order of a cohort job must be"):
        order.parse(text)
