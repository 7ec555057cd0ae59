"""Records are joined to what was known of them, and every one is accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.labels.join import join
from driftloop.spec.data import LabelSource
from driftloop_contracts.errors import InvalidInput

At, Maker = Callable[[float], pd.Timestamp], Callable[..., pd.DataFrame]

UNKNOWN = LabelSource(name="click", maturity="10h")
NEGATIVE = LabelSource(name="click", maturity="10h", absent="negative")


def labels(rows: pd.DataFrame) -> dict[str, float]:
    return dict(zip(rows["prediction_id"], rows["positives"], strict=True))


def test_a_record_without_an_outcome_is_what_its_source_says(
    asked: Maker, told: Maker, at: At
) -> None:
    records, reports = asked(("a", 0, 1), ("b", 0, 1)), told(("a", 1, 1, 2, 0))
    left_out, negative = (join(records, reports, s, at(10)) for s in (UNKNOWN, NEGATIVE))
    assert labels(left_out.rows) == {"a": 1.0}
    assert labels(negative.rows) == {"a": 1.0, "b": 0.0}
    assert (left_out.coverage.unknown, left_out.coverage.assumed_negative) == (1, 0)
    assert (negative.coverage.unknown, negative.coverage.assumed_negative) == (0, 1)
    assert left_out.coverage.share == negative.coverage.share == 0.5


def test_a_young_record_is_left_out_even_if_its_positive_has_come(
    asked: Maker, told: Maker, at: At
) -> None:
    records, reports = asked(("a", 0, 1), ("b", 1, 1)), told(("b", 1, 1, 2, 0))
    found = join(records, reports, NEGATIVE, at(10))
    assert labels(found.rows) == {"a": 0.0}
    assert (found.coverage.records, found.coverage.immature) == (2, 1)
    assert labels(join(records, reports, NEGATIVE, at(11)).rows) == {"a": 0.0, "b": 1.0}


def test_a_late_outcome_counts_from_when_it_is_known(asked: Maker, told: Maker, at: At) -> None:
    records, reports = asked(("a", 0, 1)), told(("a", 1, 1, 12, 0))
    before, after = (join(records, reports, NEGATIVE, at(hour)) for hour in (11, 12))
    assert (labels(before.rows), before.coverage.late) == ({"a": 0.0}, 0)
    assert (labels(after.rows), after.coverage.late) == ({"a": 1.0}, 1)


def test_a_correction_is_counted_and_late_where_it_came_late(
    asked: Maker, told: Maker, at: At
) -> None:
    reports = told(("a", 0, 0, 2, 0), ("a", 1, 0, 3, 1), ("b", 0, 0, 2, 0), ("b", 1, 0, 11, 1))
    coverage = join(asked(("a", 0, 1), ("b", 0, 1)), reports, UNKNOWN, at(20)).coverage
    assert (coverage.corrected, coverage.late) == (2, 1)


def test_a_count_is_of_its_aggregate(asked: Maker, told: Maker, at: At) -> None:
    found = join(asked(("a", 0, 5)), told(("a", 3, 0, 2, 0)), UNKNOWN, at(10))
    assert found.rows[["weight", "positives"]].to_numpy().tolist() == [[5.0, 3.0]]


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (("a", 1, 0.5, 2, 0), "happened before its record"),
        (("a", 6, 1, 2, 0), "value above its record's weight"),
        (("a", -1, 0.5, 2, 0), "value not a number from 0"),
    ],
)
def test_what_its_record_cannot_have_is_set_aside(
    asked: Maker, told: Maker, at: At, report: tuple[Any, ...], reason: str
) -> None:
    found = join(asked(("a", 1, 5)), told(report, report), UNKNOWN, at(20))
    assert found.rows.empty
    assert found.coverage.rejected == {reason: 1}
    assert found.rejected["reason"].tolist() == [reason]


def test_a_record_whose_weight_is_missing_has_no_outcome(asked: Maker, told: Maker, at: At) -> None:
    found = join(asked(("a", 0, np.nan)), told(("a", 0, 0, 2, 0)), UNKNOWN, at(20))
    assert found.coverage.rejected == {"value above its record's weight": 1}


def test_outcomes_of_no_record_are_orphans(asked: Maker, told: Maker, at: At) -> None:
    found = join(asked(("a", 0, 1)), told(("x", 1, 0, 2, 0), ("a", 1, 0, 2, 0)), UNKNOWN, at(20))
    assert (found.coverage.orphans, found.coverage.labelled) == (1, 1)


def test_the_order_and_the_columns_of_the_records_stay(asked: Maker, told: Maker, at: At) -> None:
    records = asked(("c", 0, 1), ("a", 1, 1), ("b", 2, 1))
    records.index = pd.Index([7, 7, 7])
    found = join(records, told(("b", 1, 2, 3, 0)), NEGATIVE, at(20)).rows
    assert found["prediction_id"].tolist() == ["c", "a", "b"]
    assert list(found) == [
        "prediction_id",
        "event_time",
        "weight",
        "place",
        "positives",
        "decided_time",
    ]
    assert list(found.index) == [0, 1, 2]


def test_nothing_is_joined_to_nothing(asked: Maker, told: Maker, at: At) -> None:
    for records in (asked(), asked(("a", 9, 1))):
        found = join(records, told(), UNKNOWN, at(2))
        assert (len(found.rows), found.coverage.share) == (0, None)
        assert list(found.rows) == [*records, "positives", "decided_time"]


def test_a_maturity_beyond_any_calendar_leaves_all_immature(
    asked: Maker, told: Maker, at: At
) -> None:
    source = LabelSource(name="click", maturity="999999999d")
    assert join(asked(("a", 0, 1)), told(), source, at(10)).coverage.immature == 1


def test_records_that_cannot_be_told_apart_or_dated_are_refused(
    asked: Maker, told: Maker, at: At
) -> None:
    for records, fault in (
        (asked(("a", 0, 1), ("a", 1, 1)), "prediction_id in the records must be unique. Got 'a'"),
        (asked((None, 0, 1)), "column 'prediction_id' in the records must be present"),
        (asked(("a", None, 1), ("b", 1, 1)), "column 'event_time' in the records must be present"),
        (asked(("a", 0, 1)).drop(columns="weight"), "column 'weight'"),
    ):
        with pytest.raises(InvalidInput, match=fault):
            join(records, told(), UNKNOWN, at(10))


def test_an_event_carries_the_counts_and_the_share(asked: Maker, told: Maker, at: At) -> None:
    reports = told(*[("a", 1, 1, 2, 0)] * 2, ("x", 1, 0, 2, 0), ("a", np.nan, 1, 2, 0))
    data = join(asked(("a", 0, 1), ("b", 0, 1)), reports, UNKNOWN, at(10)).coverage.to_data()
    assert data == {
        "records": 2, "immature": 0, "labelled": 1, "assumed_negative": 0, "unknown": 1,
        "late": 0, "corrected": 0, "duplicates": 1, "conflicts": 0, "orphans": 1,
        "rejected": {"value not a number from 0": 1}, "maturity_seconds": 36000,
        "maturity_estimated": False, "maturity_reason": "As configured.", "share": 0.5,
    }  # fmt: skip


def traffic(records: int, positives: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A quarter of records, some of which got a positive after a log-normal delay."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2026-01-01T00:00Z").as_unit("us")
    micros = np.sort(rng.integers(0, 90 * 86_400_000_000, records))
    asked = start + pd.to_timedelta(pd.Series(micros), unit="us").dt.as_unit("us")
    ids = np.array([f"request-{i:07d}" for i in rng.permutation(records)], object)
    frame = pd.DataFrame({"prediction_id": ids, "event_time": asked, "weight": 1.0})
    chosen = rng.permutation(rng.choice(records, positives, replace=False))
    delay = pd.to_timedelta(pd.Series(rng.lognormal(11, 1.2, positives)), unit="s")
    reports = frame.iloc[chosen][["prediction_id", "event_time"]].reset_index(drop=True)
    known = reports["event_time"] + delay.dt.as_unit("us")
    return frame, reports.assign(label="click", value=1.0, known_time=known, revision=0)


def test_what_comes_later_does_not_change_an_estimated_maturity() -> None:
    records, reports = traffic(20_000, 6_000)
    now = records["event_time"].iloc[-5000]
    source = LabelSource(name="click", maturity="20d", completeness="95%", absent="negative")
    whole = join(records, reports, source, now)
    past = join(records[records["event_time"] <= now], reports[reports["known_time"] <= now],
                source, now)  # fmt: skip
    assert whole.maturity.estimated
    assert timedelta(days=3) < whole.maturity.duration < timedelta(days=10)
    assert (whole.coverage, whole.maturity) == (past.coverage, past.maturity)
    pd.testing.assert_frame_equal(whole.rows, past.rows)


def test_a_million_records_are_joined_in_seconds() -> None:
    records, reports = traffic(1_000_000, 300_000)
    source = LabelSource(name="click", maturity="30d", completeness="99%", absent="negative")
    started = time.perf_counter()
    coverage = join(records, reports, source, records["event_time"].iloc[-1]).coverage
    assert time.perf_counter() - started < 15
    assert coverage.maturity_estimated
    assert coverage.labelled > 200_000


@pytest.mark.parametrize(("absent", "late"), [("unknown", 9), ("negative", 2)])
def test_a_label_is_decided_when_the_record_is_mature_and_has_one(
    asked: Maker, told: Maker, at: At, absent: str, late: int
) -> None:
    source = LabelSource.model_validate({"name": "click", "maturity": "2h", "absent": absent})
    records = asked(("early", 0, 1), ("late", 0, 1), ("corrected", 0, 1), ("never", 0, 1))
    reports = told(
        ("early", 1, 0, 1, 0), ("late", 1, 0, 9, 0),
        ("corrected", 1, 0, 1, 0), ("corrected", 0, 0, 9, 1),
    )  # fmt: skip
    found = join(records, reports, source, at(20)).rows
    assert found["decided_time"].tolist()[:3] == [at(2), at(late), at(2)]


def test_a_record_that_stands_for_others_counts_its_outcome_as_often(
    asked: Maker, told: Maker, at: At
) -> None:
    """Records that were dropped leave their weight to others: their rate must not halve."""
    records = asked(("a", 0, 2), ("b", 0, 1), ("c", 0, 3)).assign(stands_for=[2.0, None, 3.0])
    found = join(records, told(("a", 1, 1, 1, 0), ("b", 1, 1, 1, 0)), NEGATIVE, at(20))
    assert found.rows["positives"].tolist() == [2.0, 1.0, 0.0]
    above = join(records, told(("c", 2, 1, 1, 0)), NEGATIVE, at(20))
    assert above.rejected["reason"].tolist() == ["value above its record's weight"]
