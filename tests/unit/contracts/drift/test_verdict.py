"""The rule of drift: what it promises, over many seeds, with the bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import signal, stats

from driftloop_contracts.drift import level, measure, verdict
from driftloop_contracts.drift.distribution import Distribution
from driftloop_contracts.drift.finding import Finding
from driftloop_contracts.drift.observed import Observed, Rule
from driftloop_contracts.drift.tally import Tally

DAY, ROWS, DAYS = 86400, 1000, 28
Stream = Callable[[int, np.random.Generator], Any]


def gaussian(rows: int, rng: np.random.Generator) -> Any:
    return rng.normal(size=rows)


def heavy(rows: int, rng: np.random.Generator) -> Any:
    return rng.standard_cauchy(size=rows)


def autocorrelated(rows: int, rng: np.random.Generator) -> Any:
    noise = rng.normal(size=rows + 100) * 0.8
    return signal.lfilter([1], [1, -0.6], noise)[100:]


def rare(rows: int, rng: np.random.Generator) -> Any:
    shares = 1 / np.arange(1, 61) ** 1.5
    return rng.choice(60, p=shares / shares.sum(), size=rows).astype(str).astype(object)


def times(rows: int) -> measure.Rows:
    """Return ROWS a day, from the epoch on."""
    seconds = np.arange(rows) * DAY // ROWS
    return measure.Rows(
        seconds, np.ones(rows), seconds // DAY, np.ones(rows, dtype=bool), False, ROWS
    )


def reference(values: Any) -> Distribution:
    if values.dtype == object:
        return measure.categorical(list(values), times(len(values)))
    return measure.numeric(values, times(len(values)))


def observe(known: Distribution, values: Any, min_effect: float = 0.0) -> Observed:
    """Return a window of ``values``, each of weight 1; NaN and None are missing."""
    missing = np.array([v is None or v != v for v in values], dtype=bool)
    present = values[~missing]
    usual, n = known.expect([1.0] * len(known.strata)), float(len(values))
    counts = np.bincount(known.codes(present), minlength=known.cells).astype(float)
    tally = Tally(
        tuple(counts), float(missing.sum()), int(n), n, n, usual.shares, usual.missing, usual.rows
    )
    kind = "categorical" if known.categories else "numeric"
    effects = known.design_effect, known.missing_design_effect
    return Observed(Rule("x", kind, min_effect, *effects, 1.0, False), tally)


def judged(known: Distribution, values: Any, alpha: float, min_effect: float = 0.0) -> Finding:
    return verdict.judge(observe(known, values, min_effect), alpha, 50)


@pytest.mark.parametrize("stream", [gaussian, heavy, autocorrelated, rare])
def test_quiet_windows_are_flagged_no_more_often_than_the_level_says(stream: Stream) -> None:
    """By the tests alone, without a minimum effect; each seed draws its own reference."""
    alpha, flagged, windows = 0.02, 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = stream(ROWS * (DAYS + 20), rng)
        known = reference(values[: ROWS * DAYS])
        for day in range(DAYS, DAYS + 20):
            window = values[day * ROWS : (day + 1) * ROWS]
            one = judged(known, window, level.of_test(1, -np.log1p(-alpha), 3))
            flagged, windows = flagged + one.shift, windows + 1
    assert flagged <= stats.binom.ppf(0.999, windows, alpha)


CHANGES: dict[str, tuple[Stream, Stream]] = {
    "mean": (gaussian, lambda n, rng: rng.normal(0.2, 1, n)),
    "variance": (gaussian, lambda n, rng: rng.normal(0, 1.3**0.5, n)),
    "unit": (gaussian, lambda n, rng: rng.normal(0, 10, n)),
    "missing": (
        lambda n, rng: np.where(rng.random(n) < 0.01, np.nan, rng.normal(size=n)),
        lambda n, rng: np.where(rng.random(n) < 0.03, np.nan, rng.normal(size=n)),
    ),
    "rare level": (
        lambda n, rng: rng.choice(["a", "b", "r"], n, p=[0.7, 0.295, 0.005]).astype(object),
        lambda n, rng: rng.choice(["a", "b", "r"], n, p=[0.69, 0.29, 0.02]).astype(object),
    ),
    "new level": (
        lambda n, rng: rng.choice(["a", "b"], n).astype(object),
        lambda n, rng: rng.choice(["a", "b", "z"], n, p=[0.495, 0.495, 0.01]).astype(object),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_worth_it_is_found_within_four_windows(name: str) -> None:
    """At the level of a loop with 20 features, four windows a day, and a false alarm in 90 days."""
    before, after = CHANGES[name]
    alpha, found, seeds = level.of_test(1 / (90 * DAY), DAY / 4, 50), 0, 30
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        known = reference(before(ROWS * DAYS, rng))
        windows = (after(5000, rng) for _ in range(4))
        found += any(judged(known, window, alpha, 0.05).shift for window in windows)
    assert found >= stats.binom.ppf(0.001, seeds, 0.97)


@pytest.mark.parametrize("replicas", [1, 3, 10])
def test_replicas_add_up_to_one_that_saw_everything(replicas: int) -> None:
    rng = np.random.default_rng(0)
    known, window = reference(gaussian(ROWS * DAYS, rng)), gaussian(5000, rng) + 0.1
    parts = [observe(known, window[start::replicas]) for start in range(replicas)]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    alone, together = (verdict.judge(one, 0.01, 50) for one in (observe(known, window), whole))
    assert together.p_value == pytest.approx(alone.p_value)
    assert together.effect == pytest.approx(alone.effect)


def test_weekdays_are_compared_with_weekdays() -> None:
    rng, rows = np.random.default_rng(0), ROWS * DAYS
    seconds = np.arange(rows) * DAY // ROWS
    weekend = (seconds // DAY + 3) % 7 >= 5
    when = measure.Rows(
        seconds, np.ones(rows), seconds // DAY, np.ones(rows, dtype=bool), True, ROWS
    )
    known = measure.numeric(rng.normal(size=rows) + weekend, when)
    assert len(known.strata) == 7
    assert known.design_effect < 1.5
    saturday = known.expect([0, 0, 0, 0, 0, 1, 0]).shares
    monday = known.expect([1, 0, 0, 0, 0, 0, 0]).shares
    assert saturday[0] < monday[0] / 3


def test_an_empty_tail_is_as_likely_as_its_rows_say() -> None:
    """Also where the shares below the cuts add up to a trifle more than 1."""
    usual, n = (0.99 / 29,) * 29 + (0.01,), 1000.0
    rule = Rule("x", "numeric", 0.05, 1.0, 1.0, 1.0, False)
    for seed in range(20):
        counts = np.random.default_rng(seed).multinomial(1000, (1 / 29,) * 29)
        tally = Tally((*counts.astype(float), 0.0), 0.0, 1000, n, n, usual, 0.0, 28000.0)
        finding = verdict.judge(Observed(rule, tally), 1e-4, 50)
        assert finding.p_value > 1e-6


def test_days_that_differ_count_as_fewer_rows() -> None:
    rng, rows = np.random.default_rng(0), ROWS * DAYS
    moods = np.repeat(rng.normal(0, 0.3, DAYS), ROWS)
    assert measure.numeric(rng.normal(size=rows) + moods, times(rows)).design_effect > 20


def test_weights_count_as_kish_says() -> None:
    """A thousand rows, one of which weighs as much as the rest, are worth four rows."""
    weights = np.ones(1000)
    weights[0] = 999
    tally = Tally((1997.0, 1.0), 0.0, 1000, weights.sum(), (weights**2).sum(), (0.5, 0.5), 0.0, 1e6)
    found = verdict.judge(Observed(Rule("x", "numeric", 0, 1, 1, 1, False), tally), 0.05, 50)
    assert not found.shift


@pytest.mark.parametrize(
    "values",
    [
        np.array([]),
        np.array([np.nan] * 50),
        np.array([1.0]),
        np.zeros(300_000),
        np.array([1e308, -1e308] * 10),
    ],
    ids=["no row", "no value", "one row", "huge and constant", "extreme"],
)
def test_odd_windows_have_finite_findings(values: Any) -> None:
    for known in (reference(np.zeros(2000)), reference(np.random.default_rng(0).normal(size=2000))):
        found = judged(known, values, 0.001, 0.05)
        assert 0 <= found.p_value <= 1
        assert np.isfinite([found.effect, found.statistic]).all()


def test_a_missing_value_never_reads_as_a_distance() -> None:
    rng = np.random.default_rng(0)
    known = reference(gaussian(ROWS * DAYS, rng))
    window = np.where(rng.random(5000) < 0.1, np.nan, gaussian(5000, rng))
    tests = {test.name: test for test in judged(known, window, 0.001, 0.05).tests}
    assert (tests["values"].shift, tests["missing"].shift) == (False, True)


def test_what_an_event_carries_is_read_back() -> None:
    from driftloop_contracts.drift import observed

    known = reference(rare(ROWS * DAYS, np.random.default_rng(0)))
    one = observe(known, rare(500, np.random.default_rng(1)))
    back = observed.from_data(one.to_data())
    assert back.tally.counts == one.tally.counts
    assert back.tally.expected == pytest.approx(one.tally.expected, rel=1e-6)
    assert back.rule == one.rule
