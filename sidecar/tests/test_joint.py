"""The joint test: its level on quiet rows, its power on what no single feature shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import signal, stats

from drift_sidecar import joint

KINDS = {"a": "numeric", "b": "numeric", "c": "categorical"}
LEVEL = 0.05


def columns(rows: int, rng: np.random.Generator, correlation: float = 0.0) -> dict[str, Any]:
    a, b = rng.normal(size=(2, rows))
    b = correlation * a + np.sqrt(1 - correlation**2) * b
    holes = np.where(rng.random(rows) < 0.02, np.nan, b)
    return {"a": a, "b": holes, "c": rng.choice(["x", "y", None], rows)}


def heavy(rows: int, rng: np.random.Generator) -> dict[str, Any]:
    return columns(rows, rng) | {"a": rng.standard_cauchy(rows)}


def autocorrelated(rows: int, rng: np.random.Generator) -> dict[str, Any]:
    a = signal.lfilter([1], [1, -0.6], rng.normal(size=rows + 100) * 0.8)[100:]
    return columns(rows, rng) | {"a": a}


@pytest.mark.parametrize(
    ("stream", "design_effect"), [(columns, 1.0), (heavy, 1.0), (autocorrelated, 4.0)]
)
def test_quiet_rows_are_flagged_no_more_often_than_the_level_says(
    stream: Any, design_effect: float
) -> None:
    seeds, flagged = 100, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        sides = stream(10_000, rng), stream(5000, rng)
        found = joint.compare(*sides, KINDS, rng, design_effect)
        flagged += found.p_value < LEVEL
    assert flagged <= stats.binom.ppf(0.999, seeds, LEVEL)


def test_a_correlation_is_found_at_the_level_of_fifty_tests_in_four_windows_a_day() -> None:
    level, seeds, found = 1 / 90 / 4 / 50, 40, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        sides = columns(10_000, rng), columns(5000, rng, 0.4)
        found += joint.compare(*sides, KINDS, rng).shift(level)
    assert found >= stats.binom.ppf(0.001, seeds, 0.97)


def test_the_same_generator_gives_the_same_answer() -> None:
    sides = (columns(2000, np.random.default_rng(s)) for s in (0, 1))
    reference, window = sides
    first, second = (
        joint.compare(reference, window, KINDS, np.random.default_rng(7)) for _ in range(2)
    )
    assert first == second


def test_too_few_rows_show_nothing() -> None:
    rng = np.random.default_rng(0)
    assert joint.compare(columns(5000, rng), columns(20, rng), KINDS, rng).p_value == 1.0
