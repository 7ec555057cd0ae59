"""Bounds of a measured number: they hold at small levels, for skewed numbers as well."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from driftloop.business import measured
from driftloop.business.measured import Measured
from driftloop.evaluation.difference import Estimate

SEEDS, GROUPS, LEVEL = 6000, 200, 0.005
TRUTH = math.exp(0.8**2 / 2)


def means() -> list[Measured]:
    """Means of so many amounts that are skewed as money is."""
    drawn = np.random.default_rng(5).lognormal(0.0, 0.8, (SEEDS, GROUPS))
    found = []
    for row in drawn:
        mean = float(row.mean())
        found.append(measured.of_influence(mean, (row - mean) / GROUPS))
    return found


def test_bounds_hold_at_the_levels_that_many_looks_need() -> None:
    seen = means()
    above = sum(one.high(LEVEL) < TRUTH for one in seen)
    below = sum(one.low(LEVEL) > TRUTH for one in seen)
    # The promise for large samples, with half as much again for a sample of 200.
    assert above <= stats.binom.ppf(0.999, SEEDS, 1.5 * LEVEL)
    assert below <= stats.binom.ppf(0.999, SEEDS, 1.5 * LEVEL)
    # They could not without regard to the skew.
    plain = [replace(one, skew=0.0) for one in seen]
    assert sum(one.high(LEVEL) < TRUTH for one in plain) > 2 * LEVEL * SEEDS
    # Nor are they wide: the upper bound is one that a sample exceeds at times.
    assert above + below >= stats.binom.ppf(0.001, SEEDS, LEVEL)


def test_a_loss_is_an_income_turned_round() -> None:
    one = Measured(2.0, 0.5, 50, skew=0.3)
    turned = one.scaled(-1.0, shift=1.0)
    assert turned.value == -1.0
    for level in (0.025, 0.001):
        assert turned.high(level) == pytest.approx(1.0 - one.low(level))
        assert turned.low(level) == pytest.approx(1.0 - one.high(level))


def test_bounds_grow_with_the_confidence() -> None:
    for skew in (-0.5, 0.0, 0.5):
        one = Measured(0.0, 1.0, 30, skew)
        highs = [one.high(level) for level in (0.2, 0.05, 0.01, 1e-4, 1e-6)]
        assert highs == sorted(highs)
        assert one.low(0.05) < 0.0 < one.high(0.05)


def test_too_few_groups_have_no_bound() -> None:
    assert Measured(1.0, 0.1, 1).high(0.05) == math.inf
    assert Measured(1.0, math.inf, 100).low(0.05) == -math.inf
    told = Measured(1.0, 0.1, 1).to_data(0.95)
    assert (told["low"], told["high"]) == (None, None)
    nothing = measured.of_draws(Estimate(1.0, np.full(10, np.nan)), 50)
    assert nothing.error == math.inf


def test_resamples_of_groups_are_as_wide_as_what_they_stand_for() -> None:
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, 1.0, 40)
    drawn = rng.multinomial(40, np.full(40, 1 / 40), 20_000) @ values / 40
    found = measured.of_draws(Estimate(float(values.mean()), drawn), 40)
    assert found.error == pytest.approx(values.std(ddof=1) / math.sqrt(40), rel=0.03)
    own = measured.of_influence(float(values.mean()), (values - values.mean()) / 40)
    assert found.skew == pytest.approx(own.skew, abs=0.06)
