"""The grid: whoever looks, and whenever, there are the same cohorts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.cohorts import grid
from driftloop.loop import LearningLoop
from driftloop.spec.cohorts import Cohorts

START = datetime(2026, 1, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERY = st.sampled_from([1, 2, 3, 4, 6, 8, 12, 24]).map(lambda hours: hours * HOUR)


@given(EVERY, st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=6))
def test_jobs_at_any_times_score_the_same_cohorts_as_one(
    every: timedelta, minutes: list[int]
) -> None:
    """Killed, late or doubled: every cohort once, none left out, each with its own ends."""
    ends = [START + timedelta(minutes=one) for one in sorted(minutes)]
    since, found = START, []
    for end in ends:
        while due := grid.cells(since, end, every):
            found += due
            since = due[-1][1]
    alone, left = [], START
    while due := grid.cells(left, ends[-1], every):
        alone += due
        left = due[-1][1]
    assert found == alone
    assert all(a < b for a, b in found)
    assert [b for _, b in found[:-1]] == [a for a, _ in found[1:]]
    assert all((b - grid.EPOCH) % every == timedelta(0) for _, b in found)
    assert ends[-1] - left < every


def test_a_job_after_a_long_pause_scores_the_last_week_in_parts() -> None:
    late = START + timedelta(days=30)
    first = grid.cells(START, late, HOUR)
    assert (first[0][0], len(first)) == (late - grid.PAST, grid.MOST)
    assert grid.cells(first[-1][1], late, HOUR)[0][0] == first[-1][1]


def test_another_length_goes_on_where_the_last_one_ended() -> None:
    five = START + 5 * HOUR
    assert grid.cells(five, START + 13 * HOUR, 6 * HOUR) == [
        (five, START + 6 * HOUR),
        (START + 6 * HOUR, START + 12 * HOUR),
    ]
    assert grid.cells(five, five, HOUR) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"every": "5h"}, "whole hours that divide a day"),
        ({"every": "90m"}, "whole hours that divide a day"),
        ({"every": "2d"}, "whole hours that divide a day"),
        ({"every": "0h"}, "whole hours that divide a day"),
        ({"every": "1h", "delay": "1h"}, "less than 'every'"),
        ({"delay": "30s"}, "whole minutes"),
    ],
)
def test_a_schedule_that_is_none_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Cohorts.model_validate(given)


def test_a_loop_of_before_has_a_cohort_a_day(ads: LearningLoop) -> None:
    assert ads.spec.cohorts.schedule == "0 1 * * *"
