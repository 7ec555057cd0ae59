"""Changes that only show in features together, over many seeds with a bound."""

import numpy as np
import pytest
from scipy import stats

from drift_sidecar import joint
from driftloop_contracts.drift import measure

ROWS = 5000


def draw(rows, rng, correlation=0.0):
    a = rng.normal(size=rows)
    b = correlation * a + (1 - correlation**2) ** 0.5 * rng.normal(size=rows)
    gaps = np.where(rng.random(rows) < 0.05, np.nan, rng.standard_cauchy(size=rows))
    words = rng.choice(["p", "q", "r"], rows, p=[0.6, 0.3, 0.1]).astype(object)
    return {"a": a, "b": b, "gaps": gaps, "words": words}


@pytest.fixture(scope="module")
def known():
    values, rows = draw(40_000, np.random.default_rng(99)), 40_000
    when = measure.Rows(
        np.arange(rows), np.ones(rows), np.arange(rows) // ROWS, np.ones(rows) > 0, False, ROWS
    )
    return {
        name: measure.categorical(list(v), when) if v.dtype == object else measure.numeric(v, when)
        for name, v in values.items()
    }


def compared(known, seed, correlation=0.0, rows=ROWS):
    rng = np.random.default_rng(seed)
    return joint.compare(draw(ROWS, rng), draw(rows, rng, correlation), known, rng)


def test_quiet_windows_are_told_apart_as_rarely_as_the_level_says(known):
    seeds, level = 100, 0.02
    found = [compared(known, seed) for seed in range(seeds)]
    assert sum(one.p_value < level for one in found) <= stats.binom.ppf(0.999, seeds, level)
    assert not any(one.effect >= one.threshold and one.p_value < 0.001 for one in found)


def test_a_correlation_that_comes_is_found_within_four_windows(known):
    """At the level of 50 tests on four windows a day and one false alarm in 90 days."""
    seeds, level, found = 20, 5e-5, 0
    for seed in range(seeds):
        windows = (compared(known, 100 * seed + k, correlation=0.4) for k in range(4))
        found += any(w.p_value < level and w.effect >= w.threshold for w in windows)
    assert found >= stats.binom.ppf(0.001, seeds, 0.97)


def test_a_few_rows_say_nothing(known):
    assert compared(known, 1, rows=joint.FEWEST - 1) is None


def test_the_same_window_is_judged_the_same(known):
    assert compared(known, 7) == compared(known, 7)


def test_a_column_without_a_value_is_no_obstacle(known):
    rng = np.random.default_rng(1)
    empty = draw(ROWS, rng) | {"gaps": np.full(ROWS, np.nan), "words": np.full(ROWS, None)}
    found = joint.compare(draw(ROWS, rng), empty, known, rng)
    assert found.p_value < 1e-9
    assert found.effect > 0.5
