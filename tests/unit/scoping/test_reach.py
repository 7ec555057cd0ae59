"""Labels, compute, memory and target against what the curves say of all rows."""

from __future__ import annotations

import numpy as np
import pytest

from driftloop.evaluation.numbers import of_sums
from driftloop.loop import LearningLoop
from driftloop.scoping import cost_curve, learning_curve, reach, target
from driftloop.scoping.gain import gain
from driftloop.scoping.reach import Plan
from driftloop.spec.charter import Budget, Target
from driftloop_contracts.errors import InvalidInput

SIZES = np.repeat([500.0, 1000.0, 2000.0, 4000.0, 8000.0], 2)
WAVE = np.tile([1.0, -1.0], 5)
LOSS = learning_curve.fit(SIZES, 0.3 + 5 * SIZES**-0.5 + 0.0003 * WAVE)
SECONDS = cost_curve.fit(SIZES, (1 + 1e-3 * SIZES) * np.exp(0.01 * WAVE))
MEMORY = cost_curve.fit(SIZES, (2e8 + 1e4 * SIZES) * np.exp(0.005 * WAVE))


def chances(plan: Plan) -> dict[str, float | None]:
    return {one.name: one.chance for one in reach.checks(plan, LOSS, SECONDS, MEMORY)}


def test_what_is_not_set_is_told_and_not_judged() -> None:
    found = reach.checks(Plan(10_000, Budget()), LOSS, SECONDS, MEMORY)
    assert [one.chance for one in found] == [None] * 4
    assert all(one.says.endswith(".") and not one.is_out_of_reach for one in found)


def test_more_labels_bring_the_target_within_reach() -> None:
    """0.33 takes (5 / 0.03)^2 = 27,778 rows."""
    few = Plan(10_000, Budget(labels=12_000), target=0.33)
    many = Plan(10_000, Budget(labels=100_000), target=0.33)
    assert chances(few)["target"] == chances(few)["labels"] == 0.0
    assert chances(many)["target"] > 0.99
    says = reach.checks(many, LOSS, SECONDS, MEMORY)[0].says
    assert "more are to be labelled" in says


def test_compute_limits_the_rows_that_a_target_is_asked_of() -> None:
    """30 s a period for one training of one fit: some 29,000 rows; of three trainings 9,000."""
    given = {"labels": 100_000, "compute": "30s per 1d"}
    once = Plan(5000, Budget.model_validate(given), target=0.331)
    thrice = Plan(5000, Budget.model_validate(given), trainings=3, target=0.331)
    assert chances(once)["target"] > 0.5 > chances(thrice)["target"]
    assert chances(once)["compute"] == 1.0
    tight = Plan(5000, Budget.model_validate({"compute": "1s per 1d"}))
    assert chances(tight)["compute"] == 0.0


def test_memory_is_asked_of_all_rows() -> None:
    assert chances(Plan(8000, Budget.model_validate({"memory": "1GiB"})))["memory"] == 1.0
    assert chances(Plan(8000, Budget.model_validate({"memory": "100MiB"})))["memory"] == 0.0


def test_a_kpi_is_turned_into_the_loss_that_reaches_it(ads: LearningLoop) -> None:
    seen = of_sums(100, 1000.0, 100.0, 100.0, 300.0)
    found = target.loss_of(Target(kpi=0.1), ads.spec.objective.kpi, seen)
    assert found == pytest.approx(0.9 * seen.base_entropy, rel=1e-6)
    assert target.loss_of(Target(metric=0.2), ads.spec.objective.kpi, seen) == 0.2
    assert target.loss_of(None, ads.spec.objective.kpi, seen) is None
    with pytest.raises(InvalidInput, match="at most what no loss at all gives"):
        target.loss_of(Target(kpi=1.5), ads.spec.objective.kpi, seen)
    fixed = ads.spec.objective.kpi.model_copy(update={"formula": "rate * 2"})
    with pytest.raises(InvalidInput, match="names log_loss"):
        target.loss_of(Target(kpi=0.1), fixed, seen)


def test_the_interval_of_a_gain_holds_the_true_gain() -> None:
    inside = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        hard = rng.gamma(2.0, 0.5, 100)[np.repeat(np.arange(100), 5)]
        usual, own = (hard * rng.gamma(4.0, mean / 4, 500) for mean in (1.0, 0.9))
        low, _, high = gain(own, usual, np.ones(500), np.repeat(np.arange(100), 5), rng)
        inside += low <= 0.1 <= high
    assert inside / 150 >= 0.89


def test_more_rows_raise_the_gain_as_the_curve_says() -> None:
    ones = np.ones(200)
    now = gain(0.4 * ones, ones, ones, np.arange(200), curve=LOSS, rows=(8000, 8000))
    later = gain(0.4 * ones, ones, ones, np.arange(200), curve=LOSS, rows=(8000, 80_000))
    less = 5 * 8000**-0.5 - 5 * 80_000**-0.5
    assert now.estimate == pytest.approx(0.6)
    assert later.estimate == pytest.approx(0.6 + less, abs=0.002)
    with pytest.raises(InvalidInput, match="a number a row"):
        gain(ones, ones[:-1], ones, np.arange(200))
