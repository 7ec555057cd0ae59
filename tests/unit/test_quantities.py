"""Quantities: what loop.yaml may write, and the sentence for all else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop import quantities
from driftloop.evaluation import kpi
from driftloop_contracts.errors import InvalidInput


@given(st.integers(0, 10**6), st.sampled_from("smhd"))
def test_a_duration_survives_being_shown(number: int, unit: str) -> None:
    duration = quantities.parse_duration(f"{number}{unit}")
    assert quantities.parse_duration(quantities.show_duration(duration)) == duration


@pytest.mark.parametrize("value", ["", "90", "1.5d", "-1d", "1w", "d", 90, None, f"{10**12}d"])
def test_no_other_duration_is_read(value: Any) -> None:
    with pytest.raises(ValueError, match="'90d'"):
        quantities.parse_duration(value)


@pytest.mark.parametrize("value", ["", "5", "0.05", "-1%", "101%", "NaN%", 0.05])
def test_no_other_share_is_read(value: Any) -> None:
    with pytest.raises(ValueError, match="'2.5%'"):
        quantities.parse_share(value)


@pytest.mark.parametrize("value", ["1", "1 per", "0 per 90d", "1 per 0d", "-1 per 90d", 1])
def test_no_other_rate_is_read(value: Any) -> None:
    with pytest.raises(ValueError, match="'1 per 90d'"):
        quantities.parse_rate(value)


def test_a_rate_knows_its_mean() -> None:
    rate = quantities.parse_rate("2 per 1h")
    assert (rate.period, rate.per_second) == (timedelta(hours=1), 2 / 3600)


def test_a_formula_that_divides_by_zero_has_no_value() -> None:
    assert kpi.evaluate("a / b", {"a": 1.0, "b": 0.0}) is None


@pytest.mark.parametrize(
    "formula",
    [
        "",
        "a +",
        "a.b",
        "f(a)",
        "a ** 9",
        "c",
        "'a' + a",
        "a if a else a",
        "\0",
        "(" * 500,
        "1e999j",
    ],
)
def test_a_formula_is_no_code(formula: str) -> None:
    with pytest.raises(InvalidInput, match="objective.kpi.formula"):
        kpi.evaluate(formula, {"a": 1.0})
