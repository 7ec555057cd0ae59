"""Outcomes that are classes: which one counts, what is set aside, and what was right."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from driftloop.labels.join import Joined, join
from driftloop.spec.data import LabelSource

CLASSES = ("hr", "it", "accounting")
SOURCE = LabelSource(name="click", maturity="2h")

Maker = Callable[..., pd.DataFrame]


@pytest.fixture
def reports(told: Maker) -> Maker:
    """Make reports of (id, category, hour it was known, revision)."""

    def make(*rows: tuple[str, str | None, float, int]) -> pd.DataFrame:
        frame = told(*((name, 1.0, 0, hour, revision) for name, _, hour, revision in rows))
        return frame.assign(category=[category for _, category, _, _ in rows])

    return make


def categories(found: Joined) -> dict[str, str]:
    return dict(zip(found.rows["prediction_id"], found.rows["category"], strict=True))


def test_a_request_that_was_assigned_again_has_its_last_desk(
    asked: Maker, reports: Maker, at: Callable
) -> None:
    told = reports(("a", "hr", 1, 0), ("a", "it", 5, 1), ("b", "hr", 1, 0))
    records = asked(("a", 0, 1), ("b", 0, 1))
    before, after = (join(records, told, SOURCE, at(hour), CLASSES) for hour in (4, 5))
    assert categories(before) == {"a": "hr", "b": "hr"}
    assert categories(after) == {"a": "it", "b": "hr"}
    assert (before.coverage.corrected, after.coverage.corrected) == (0, 1)


@pytest.mark.parametrize("odd", ["sales", None, "HR"])
def test_a_category_that_is_no_class_is_set_aside(
    asked: Maker, reports: Maker, at: Callable, odd: str | None
) -> None:
    found = join(asked(("a", 0, 1)), reports(("a", odd, 1, 0)), SOURCE, at(9), CLASSES)
    assert found.rows.empty
    assert found.rejected["reason"].tolist() == ["category not one of the classes"]


def test_reports_without_any_category_are_set_aside(
    asked: Maker, told: Maker, at: Callable
) -> None:
    found = join(asked(("a", 0, 1)), told(("a", 1, 0, 1, 0)), SOURCE, at(9), CLASSES)
    assert found.rejected["reason"].tolist() == ["category not one of the classes"]


def test_a_value_other_than_1_says_nothing_of_a_category(
    asked: Maker, reports: Maker, at: Callable
) -> None:
    told = reports(("a", "hr", 1, 0)).assign(value=0.0)
    found = join(asked(("a", 0, 1)), told, SOURCE, at(9), CLASSES)
    assert found.rejected["reason"].tolist() == ["value not 1, of a category"]


def test_positives_are_the_weight_of_what_was_answered_rightly(
    asked: Maker, reports: Maker, at: Callable
) -> None:
    records = asked(("a", 0, 3), ("b", 0, 2), ("c", 0, 1))
    records = records.assign(predicted_class=["hr", "it", None])
    told = reports(("a", "hr", 1, 0), ("b", "hr", 1, 0), ("c", "hr", 1, 0))
    found = join(records, told, SOURCE, at(9), CLASSES).rows
    assert found["positives"].tolist() == [3.0, 0.0]
    without = join(records.drop(columns="predicted_class"), told, SOURCE, at(9), CLASSES).rows
    assert without["positives"].tolist() == [3.0, 2.0, 1.0]


def test_two_reports_at_once_conflict_and_their_order_does_not_matter(
    asked: Maker, reports: Maker, at: Callable
) -> None:
    rows = [("a", "it", 1, 0), ("a", "hr", 1, 0)]
    found = [
        join(asked(("a", 0, 1)), reports(*told), SOURCE, at(9), CLASSES)
        for told in (rows, rows[::-1])
    ]
    assert [one.coverage.conflicts for one in found] == [1, 1]
    assert categories(found[0]) == categories(found[1]) == {"a": "it"}


def test_a_loop_without_classes_does_not_look_at_a_category(
    asked: Maker, reports: Maker, at: Callable
) -> None:
    found = join(asked(("a", 0, 1)), reports(("a", "nonsense", 1, 0)), SOURCE, at(9))
    assert found.rows["positives"].tolist() == [1.0]
    assert "category" not in found.rows
