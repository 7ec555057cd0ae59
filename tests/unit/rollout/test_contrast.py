"""Contrasts: bounds that hold at all looks at once, and find a difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from driftloop.rollout.contrast import Contrast, Moments

ALPHA, SEEDS, LOOKS = 0.05, 300, 150


def moments(values: np.ndarray) -> Moments:
    return Moments(n=len(values), total=float(values.sum()), square=float((values**2).sum()))


def draw(rng: np.random.Generator, kind: str, rows: int) -> np.ndarray:
    if kind == "rare":
        return (rng.random(rows) < 0.02).astype(float)
    return rng.lognormal(0, 1, rows) if kind == "skewed" else rng.normal(3, 2, rows)


def bounds_of(rng: np.random.Generator, kind: str, difference: float, hour: float = 0.0):
    """Yield the bounds at each look; ``hour``: what all values go up and down by over time."""
    contrast = Contrast()
    for look in range(LOOKS):
        share = (0.05, 0.25, 0.5)[3 * look // LOOKS]
        n = int(rng.binomial(400, share))
        season = hour * math.sin(look / 10)
        own, other = draw(rng, kind, n) + difference + season, draw(rng, kind, 400 - n) + season
        contrast = contrast.after(moments(own), moments(other))
        yield contrast.bounds(ALPHA)


@pytest.mark.parametrize("kind", ["normal", "skewed", "rare"])
@pytest.mark.parametrize("hour", [0.0, 5.0])
def test_they_hold_at_all_looks_at_once(kind: str, hour: float) -> None:
    missed = 0
    for seed in range(SEEDS):
        every = bounds_of(np.random.default_rng(seed), kind, 0.1, hour)
        missed += any(not one.low <= 0.1 <= one.high for one in every)
    assert missed <= stats.binom.ppf(0.999, SEEDS, ALPHA)


def test_a_difference_is_found() -> None:
    found = []
    for seed in range(100):
        every = list(bounds_of(np.random.default_rng(seed), "normal", 0.4, hour=5.0))
        found.append(next((at for at, one in enumerate(every) if one.low > 0), LOOKS))
    assert np.quantile(found, 0.95) < LOOKS / 2, "a fifth of a standard deviation"


def test_few_rows_wait_for_more() -> None:
    few = moments(np.arange(10.0))
    contrast = Contrast().after(few, few)
    assert contrast.bounds(ALPHA).high == math.inf
    contrast = contrast.after(few, few).after(few, few)
    assert contrast.bounds(ALPHA).estimate == 0
    assert math.isfinite(contrast.bounds(ALPHA).high)


def test_values_that_never_differed_say_nothing_yet() -> None:
    ones, twos = moments(np.ones(50)), moments(np.full(50, 2.0))
    assert tuple(Contrast().after(ones, twos).bounds(ALPHA)) == (-math.inf, -1, math.inf)
