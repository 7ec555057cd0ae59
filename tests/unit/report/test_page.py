"""The report: whole with everything, whole with nothing, and nothing from outside gets in raw."""

from __future__ import annotations

import re
from typing import Any

import pytest

from driftloop.report import page, svg

Run = tuple[dict[str, Any], list[dict[str, Any]]]


def test_an_empty_run_leaves_sentences_not_holes(empty_run: Run) -> None:
    shown = page.render(*empty_run)
    assert shown.count("There is nothing to show for this run.") == 7


def test_a_full_run_shows_its_three_plots_and_reasons(full_run: Run) -> None:
    shown = page.render(*full_run)
    assert re.findall(r'aria-label="([^"]+)"', shown) == [
        "KPI over time",
        "Drift per feature over time",
        "Model versions over time",
    ]
    assert "Too few rows &amp; more." in shown
    assert "price, 2026-01-05: shift; distance 0.300, threshold 0.100, n = 10" in shown


def test_what_comes_from_outside_is_escaped(full_run: Run) -> None:
    shown = page.render(*full_run)
    assert "<script" not in shown
    assert "<i>age" not in shown
    assert "&lt;script&gt;" in shown


def test_nothing_is_fetched_from_anywhere(full_run: Run) -> None:
    assert re.findall(r"(?:src|href|url\()\s*=?", page.render(*full_run)) == []
    assert "http" not in page.render(*full_run)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.02, 0.21), (-3.0, 40.0), (5.0, 5.0)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    found = svg.ticks(low, high)
    assert all(low <= tick <= high for tick in found)
    assert len(found) <= 11
