"""Whether outcomes follow predictions: rates of false alarms and power, over many seeds."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import special, stats

from driftloop_contracts.drift import concept, level
from driftloop_contracts.drift.concept import Concept, Followed, Judged
from driftloop_contracts.errors import BundleRefused, InvalidInput

DAY, SEEDS = 2000, 40
LEVEL = 0.01


def rows(
    days: int, rng: np.random.Generator, *, slope: float = 1.0, shift: float = 0.0, mood: float = 0
) -> Judged:
    """Rows whose log-odds are -2.5 + x; outcomes follow ``slope`` x, moved for good and by days."""
    x, day = rng.normal(size=days * DAY), np.arange(days * DAY) // DAY
    moods = mood * rng.normal(size=days)[day]
    came = rng.random(len(x)) < special.expit(-2.5 + slope * x + shift + moods)
    return Judged(special.expit(-2.5 + x), came.astype(float), np.ones(len(x)), day)


def judged(known: Concept, later: Judged, at: float = LEVEL) -> list[concept.Test]:
    return known.judge(known.count(later.probability, later.positives, later.weight), at)


@pytest.mark.parametrize("mood", [0.0, 0.2])
def test_quiet_days_are_flagged_no_more_often_than_the_level_says(mood: float) -> None:
    flagged = days = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        known = concept.measure(rows(6, rng, mood=mood), rows(40, rng, mood=mood), 1e-6)
        for _ in range(20):
            flagged += any(test.shift for test in judged(known, rows(1, rng, mood=mood)))
            days += 1
    # Two tests a day; days that share one reference are dependent, so twice their noise.
    allowed = 2 * LEVEL * days
    assert flagged <= allowed + 2 * stats.norm.ppf(0.999) * np.sqrt(allowed)


@pytest.mark.parametrize(
    ("change", "name"),
    [({"slope": -1.0}, "relation"), ({"slope": 0.4}, "relation"), ({"shift": 0.4}, "rate")],
)
def test_a_changed_relation_and_a_changed_rate_are_found_by_their_own_test(
    change: dict[str, float], name: str
) -> None:
    alpha = level.of_test(1 / (90 * 86400), 86400, 12)
    found = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        known = concept.measure(rows(6, rng), rows(30, rng), 0.05)
        tests = judged(known, rows(2, rng, **change), alpha)
        found += any(test.shift and test.name == name for test in tests)
    assert found >= 0.95 * SEEDS


def test_another_mix_of_requests_is_not_another_concept() -> None:
    flagged = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        known = concept.measure(rows(6, rng), rows(30, rng), 0.05)
        x = rng.normal(1.0, 1.0, DAY)
        p = special.expit(-2.5 + x)
        mixed = Judged(p, (rng.random(DAY) < p).astype(float), np.ones(DAY), np.zeros(DAY, int))
        flagged += any(test.shift for test in judged(known, mixed, 1e-3))
    assert flagged <= 1


def test_a_model_that_is_off_from_the_start_is_no_change() -> None:
    rng = np.random.default_rng(0)
    known = concept.measure(rows(6, rng, shift=0.5), rows(30, rng, shift=0.5), 0.05)
    rate, expected = known.rates(
        known.count(*(lambda r: (r.probability, r.positives, r.weight))(rows(2, rng, shift=0.5)))
    )
    assert rate == pytest.approx(expected, rel=0.1)
    assert not any(test.shift for test in judged(known, rows(2, rng, shift=0.5), 1e-3))


def test_sums_add_up_to_those_of_all_rows() -> None:
    rng = np.random.default_rng(1)
    known, later = concept.measure(rows(6, rng), rows(6, rng), 0.05), rows(2, rng)
    whole = known.count(later.probability, later.positives, later.weight)
    parts = [
        known.count(later.probability[s], later.positives[s], later.weight[s])
        for s in (slice(0, 1000), slice(1000, None))
    ]
    added = parts[0] + parts[1]
    assert added.positives == whole.positives
    assert added.predicted == pytest.approx(whole.predicted)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_rows_show_nothing(count: int) -> None:
    rng = np.random.default_rng(2)
    known, few = concept.measure(rows(6, rng), rows(6, rng), 0.05), rows(1, rng)
    cut = Judged(few.probability[:count], few.positives[:count], few.weight[:count], few.cells)
    assert [test.p_value for test in judged(known, cut)] == [1.0, 1.0]


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_a_constant_model_is_judged_by_its_rate_alone(p: float) -> None:
    rng = np.random.default_rng(3)
    came = (rng.random(DAY) < 0.5).astype(float)
    same = Judged(np.full(DAY, p), came, np.ones(DAY), np.arange(DAY) // 100)
    known = concept.measure(same, same, 0.05)
    assert [test.p_value for test in judged(known, same)] == pytest.approx([1.0, 1.0], abs=0.05)


def test_it_is_the_same_after_json() -> None:
    rng = np.random.default_rng(4)
    known = concept.measure(rows(6, rng), rows(6, rng), 0.05)
    assert concept.from_json(known.to_json()) == known


def test_what_is_no_concept_is_refused_with_one_sentence() -> None:
    rng = np.random.default_rng(5)
    data = json.loads(concept.measure(rows(6, rng), rows(6, rng), 0.05).to_json())
    for wrong in (
        None,
        [],
        {},
        data | {"design_effect": 0.5},
        data | {"cuts": [0.5]},
        data | {"cuts": "0.5"},
        data | {"usual": data["usual"] | {"weight": []}},
        data | {"usual": data["usual"] | {"weight": [1.0]}},
        data | {"min_effect": float("inf")},
    ):
        with pytest.raises(InvalidInput):
            concept.from_data(wrong)
    with pytest.raises(BundleRefused):
        concept.from_json(b"{")


def test_sums_of_another_bundle_are_refused() -> None:
    with pytest.raises(InvalidInput):
        Followed((1.0,), (0.5,), (0.0,)) + Followed((1.0, 1.0), (0.5, 0.5), (0.0, 0.0))


def test_the_smallest_effect_that_counts_is_the_bundles() -> None:
    rng = np.random.default_rng(6)
    known, later = concept.measure(rows(6, rng), rows(30, rng), 0.05), rows(2, rng, shift=0.4)
    assert any(test.shift for test in judged(known, later))
    assert not any(test.shift for test in judged(replace(known, min_effect=0.9), later))
