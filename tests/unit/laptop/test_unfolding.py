"""Unfolding: labels appear when they are known, never before."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from driftloop.laptop.unfolding import Unfolding
from driftloop.traffic import Traffic

START = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")
HOUR = pd.Timedelta(hours=1)
# row, delay in hours, revision, positives; rows beyond the last request are not replayed.
OUTCOMES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 30), st.integers(0, 2), st.integers(0, 5)),
    unique_by=lambda row: (row[0], row[2]),
    max_size=20,
)


def stream(outcomes: list[tuple[int, int, int, int]], rows: int = 6) -> Traffic:
    asked = [START + i * HOUR for i in range(rows)]
    ids = [f"r{i}" for i in range(rows)]
    requests = pd.DataFrame({"row_id": ids, "event_time": asked, "weight": 5.0})
    # A revision is known after the one it revises.
    known = [START + (r + delay + 31 * revision) * HOUR for r, delay, revision, _ in outcomes]
    frame = pd.DataFrame(
        {
            "row_id": [f"r{r}" for r, *_ in outcomes],
            "event_time": [START + r * HOUR for r, *_ in outcomes],
            "positives": [float(p) for *_, p in outcomes],
            "known_time": pd.to_datetime(pd.Series(known, dtype="datetime64[us, UTC]")),
            "revision": [revision for _, _, revision, _ in outcomes],
        }
    )
    return Traffic(requests, frame, requests.iloc[:0])


def labelled(whole: Traffic, now: pd.Timestamp) -> pd.DataFrame:
    seen = whole.outcomes[whole.outcomes["known_time"] <= now]
    newest = seen.sort_values("revision", kind="stable").drop_duplicates("row_id", keep="last")
    return whole.requests.merge(newest[["row_id", "positives"]], on="row_id")


@given(OUTCOMES, st.lists(st.integers(0, 120), min_size=1, max_size=5).map(sorted))
def test_what_is_known_is_what_traffic_says(outcomes: list, hours: list[int]) -> None:
    whole = stream(outcomes)
    unfolding = Unfolding(whole)
    for hour in hours:
        now = START + hour * HOUR
        unfolding.advance(now)
        expected = labelled(whole, now)
        known = unfolding.labelled(START, START + 99 * HOUR)
        assert list(known["row_id"]) == list(expected["row_id"])
        assert list(known["positives"]) == list(expected["positives"])


def test_outcomes_of_rows_that_are_not_replayed_touch_no_other() -> None:
    unfolding = Unfolding(stream([(9, 0, 0, 5)]))
    assert unfolding.advance(START + 99 * HOUR).empty
    assert not unfolding.known.any()


def test_each_outcome_is_new_once() -> None:
    unfolding = Unfolding(stream([(0, 1, 0, 1), (1, 1, 0, 1)]))
    assert [len(unfolding.advance(START + hour * HOUR)) for hour in (0, 1, 1, 2)] == [0, 1, 0, 1]


def test_a_span_includes_its_start_and_not_its_end() -> None:
    unfolding = Unfolding(stream([]))
    span = unfolding.between(START + HOUR, START + 3 * HOUR)
    assert np.arange(6)[span].tolist() == [1, 2]
