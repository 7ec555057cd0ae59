"""One outcome of each prediction, and since when it is what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.labels import history, outcomes
from driftloop_contracts.errors import InvalidInput

At, Maker = Callable[[float], pd.Timestamp], Callable[..., pd.DataFrame]

# value, hours until it was known, revision; all of one prediction that was asked at noon.
REPORTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 2)), max_size=8)
Reports = list[tuple[int, int, int]]


def one(told: Maker, reports: Reports) -> pd.DataFrame:
    return told(*[("p", value, 0, known, revision) for value, known, revision in reports])


def believed(reports: Reports, hour: float) -> int | None:
    """What counts at an hour: the highest revision, then the newest, then the largest value."""
    known = [(revision, time, value) for value, time, revision in reports if time <= hour]
    return max(known)[2] if known else None


def since(reports: Reports, holds: Callable[[int], bool]) -> int:
    """The first hour from which on ``holds`` is true of what is believed."""
    hour = 5
    while hour and (value := believed(reports, hour - 1)) is not None and holds(value):
        hour -= 1
    return hour


def test_the_highest_revision_counts_even_if_it_came_first(told: Maker, at: At) -> None:
    reports = told(("p", 1, 0, 1, 1), ("p", 0, 0, 2, 0))
    found = history.resolved(reports, "click", at(9)).rows
    assert found["value"].tolist() == [1.0]
    assert found["known_time"].tolist() == [at(1)]


def test_of_equal_revisions_the_one_known_last_counts(told: Maker, at: At) -> None:
    found = history.resolved(told(("p", 1, 0, 2, 0), ("p", 0, 0, 3, 0)), "click", at(9))
    assert (found.rows["value"].tolist(), found.conflicts) == ([0.0], 0)


def test_copies_are_one_and_counted(told: Maker, at: At) -> None:
    found = history.resolved(told(*[("p", 1, 0, 2, 0)] * 3), "click", at(9))
    assert (len(found.rows), found.duplicates, found.conflicts) == (1, 2, 0)


def test_a_conflict_is_decided_for_the_larger_value_and_counted(told: Maker, at: At) -> None:
    both = told(("p", 1, 0, 2, 0), ("p", 0, 0, 2, 0))
    for reports in (both, both.iloc[::-1]):
        found = history.resolved(reports, "click", at(9))
        assert (found.rows["value"].tolist(), found.conflicts) == ([1.0], 1)


def test_two_reports_that_agree_are_no_conflict(told: Maker, at: At) -> None:
    found = history.resolved(told(("p", 1, 0, 2, 0), ("p", 1, 1, 2, 0)), "click", at(9))
    assert (found.rows["event_time"].tolist(), found.conflicts) == ([at(1)], 0)


def test_a_report_counts_from_the_moment_it_is_known(told: Maker, at: At) -> None:
    reports = told(("p", 1, 0, 2, 0))
    assert history.resolved(reports, "click", at(1.99)).rows.empty
    assert len(history.resolved(reports, "click", at(2)).rows) == 1


def test_reports_on_other_labels_are_not_looked_at(told: Maker, at: At) -> None:
    reports = pd.concat([told(("p", 1, 0, 2, 0)), told(("p", -1, 0, 1, 5), label="sale")])
    found = history.resolved(reports, "click", at(9))
    assert (found.rows["value"].tolist(), len(found.rejected)) == ([1.0], 0)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ((None, 1, 0, 1, 0), "no prediction_id"),
        (("", 1, 0, 1, 0), "no prediction_id"),
        (("p", 1, None, 1, 0), "no event_time or known_time"),
        (("p", 1, 0, None, 0), "no event_time or known_time"),
        (("p", 1, 2, 1, 0), "known before it happened"),
        (("p", 1, 0, 1, -1), "revision not 0, 1, ..."),
        (("p", 1, 0, 1, 0.5), "revision not 0, 1, ..."),
        (("p", 1, 0, 1, np.inf), "revision not 0, 1, ..."),
        (("p", 1, 0, 1, np.nan), "revision not 0, 1, ..."),
        (("p", -1, 0, 1, 0), "value not a number from 0"),
        (("p", np.nan, 0, 1, 0), "value not a number from 0"),
        (("p", np.inf, 0, 1, 0), "value not a number from 0"),
    ],
)
def test_what_makes_no_sense_is_set_aside_with_its_reason(
    told: Maker, at: At, report: tuple[Any, ...], reason: str
) -> None:
    found = history.resolved(told(report, ("q", 1, 0, 1, 0)), "click", at(9))
    assert found.rejected["reason"].tolist() == [reason]
    assert found.rows["prediction_id"].tolist() == ["q"]


def test_a_revision_that_makes_no_sense_replaces_nothing(told: Maker, at: At) -> None:
    found = history.resolved(told(("p", 1, 0, 1, 0), ("p", -1, 0, 2, 1)), "click", at(9))
    assert found.rows["value"].tolist() == [1.0]


def test_nothing_reported_is_no_row(told: Maker, at: At) -> None:
    for reports in (told(), pd.DataFrame(columns=list(outcomes.COLUMNS))):
        assert history.resolved(reports, "click", at(9)).rows.empty


def test_whole_numbers_that_may_be_missing_are_numbers(told: Maker, at: At) -> None:
    reports = told(("p", 1, 0, 1, 0), ("q", np.nan, 0, 1, 0), ("r", 2, 0, 1, np.nan))
    reports = reports.astype({"value": "Int64", "revision": "Int64"})
    found = history.resolved(reports, "click", at(9))
    assert (len(found.rows), len(found.rejected)) == (1, 2)


def test_a_missing_column_is_named(told: Maker, at: At) -> None:
    with pytest.raises(InvalidInput, match="column 'revision' in the outcomes must be present"):
        history.resolved(told().drop(columns="revision"), "click", at(9))


def test_a_time_without_its_zone_is_refused(told: Maker, at: At) -> None:
    reports = told(("p", 1, 0, 1, 0))
    naive = reports.assign(known_time=reports["known_time"].dt.tz_localize(None))
    with pytest.raises(InvalidInput, match="column 'known_time'"):
        history.resolved(naive, "click", at(9))
    with pytest.raises(InvalidInput, match="cut-off"):
        history.resolved(reports, "click", at(9).tz_localize(None))


@given(REPORTS)
def test_an_outcome_is_dated_as_if_every_hour_had_been_watched(
    told: Maker, at: At, reports: Reports
) -> None:
    rows = history.resolved(one(told, reports), "click", at(5)).rows
    value = believed(reports, 5)
    if value is None:
        assert rows.empty
        return
    (row,) = rows.to_dict("records")
    assert row["value"] == value
    assert row["first_known"] == at(min(known for _, known, _ in reports))
    assert row["settled"] == at(since(reports, lambda v: v == value))


@given(REPORTS)
def test_every_positive_arrives_when_it_came_to_stay(told: Maker, at: At, reports: Reports) -> None:
    past = history.build(one(told, reports).assign(of=0).drop_duplicates())
    arrivals = past.arrivals()
    found = [t for t, n in zip(arrivals["known_time"], arrivals["positives"], strict=True)
             for _ in range(int(n))]  # fmt: skip
    expected = [
        at(since(reports, lambda v, j=j: v >= j)) for j in range(1, (believed(reports, 5) or 0) + 1)
    ]
    assert found == sorted(expected)
