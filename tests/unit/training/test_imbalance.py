"""Rare positives: fits on a sample of the negatives predict what fits on all rows would."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression

from driftloop.bundle import model_file
from driftloop.evaluation import loss
from driftloop.spec.imbalance import Imbalance
from driftloop.training import imbalance, rebalanced, stock
from driftloop.training.corrected import Corrected
from driftloop_contracts.errors import InvalidInput

ROWS, RATE = 200_000, 2e-3
POLICIES = {
    "reweigh": Imbalance(negatives="20 per positive"),
    "shift": Imbalance(negatives="20 per positive", correction="shift"),
    "balanced": Imbalance(negatives="20 per positive", weights="balanced"),
    "isotonic": Imbalance(negatives="20 per positive", calibration="isotonic"),
    "platt": Imbalance(negatives="20 per positive", correction="shift", calibration="platt"),
}


def world(rows: int, rate: float, seed: int) -> tuple[pd.DataFrame, Any, Any]:
    """Return features, labels and true probabilities of about ``rate``."""
    rng = np.random.default_rng(seed)
    inputs = pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc"))
    odds = inputs.to_numpy() @ np.array([1.0, -0.5, 0.0])
    true = imbalance.correct(np.full(rows, rate), odds - 0.6)
    return inputs, (rng.random(rows) < true).astype("float64"), true


def fitted(inputs: pd.DataFrame, labels: Any, policy: Imbalance, seed: int = 0) -> Any:
    line = LogisticRegression(solver="newton-cholesky", C=1e6, tol=1e-9)
    own = policy.model_copy(update={"seed": seed})
    return rebalanced.fit(line, inputs, labels, np.ones(len(labels)), own)


@pytest.fixture(scope="module")
def rare() -> tuple[pd.DataFrame, Any, Any]:
    return world(ROWS, RATE, seed=1)


def told(model: Any, inputs: pd.DataFrame) -> Any:
    return model.predict_proba(inputs)[:, 1]


def test_the_mean_prediction_is_the_rate_of_all_rows() -> None:
    """Over 25 worlds; the mean of rate - truth lies within three standard errors of 0."""
    fresh, _, true = world(50_000, RATE, seed=999)
    ratios: dict[str, list[float]] = {name: [] for name in POLICIES}
    for seed in range(25):
        inputs, labels, _ = world(50_000, RATE * 2, seed)
        for name, policy in POLICIES.items():
            mean = told(fitted(inputs, labels, policy, seed), fresh).mean()
            ratios[name].append(mean / 2 / true.mean())
    for name, found in ratios.items():
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        assert abs(np.mean(found) - 1) < 3 * error + 0.01, name
        assert error < 0.025, name


@pytest.mark.parametrize("name", POLICIES)
def test_it_is_nearly_as_good_as_the_fit_on_all_rows(name: str, rare: Any) -> None:
    """The excess loss over seeds is at most 1 % of the loss; uncorrected it is above 200 %."""
    inputs, labels, _ = rare
    fresh, outcomes, _ = world(200_000, RATE, seed=2)
    ones = np.ones(len(outcomes))
    whole = loss.mean_log_loss(told(fitted(inputs, labels, Imbalance()), fresh), outcomes, ones)
    models = [fitted(inputs, labels, POLICIES[name], seed) for seed in range(5)]
    losses = [loss.mean_log_loss(told(model, fresh), outcomes, ones) for model in models]
    assert np.mean(losses) < whole * 1.01
    if isinstance(models[0], Corrected) and models[0].shift:
        raw = told(models[0].model, fresh)
        assert loss.mean_log_loss(raw, outcomes, ones) > 3 * whole


def test_it_takes_a_fraction_of_the_time(rare: Any, capsys: pytest.CaptureFixture[str]) -> None:
    inputs, labels, _ = rare
    seconds = {}
    for name, policy in {"all": Imbalance(), "sampled": POLICIES["reweigh"]}.items():
        spent = []
        for seed in range(3):
            began = time.process_time()
            fitted(inputs, labels, policy, seed)
            spent.append(time.process_time() - began)
        seconds[name] = min(spent)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{ROWS} rows: all {seconds['all']:.3f} s, sampled {seconds['sampled']:.3f} s\n"
        )
    assert seconds["sampled"] < seconds["all"] / 2


def test_a_rate_of_one_in_ten_thousand_is_met_by_the_stock_model(ads: Any) -> None:
    """With the usual tolerance of scikit-learn its linear part was 57 % off."""
    inputs, labels, _ = world(300_000, 1e-4, seed=1)
    linear = stock.logistic(ads).steps[-1][1].estimator
    linear.fit(inputs, labels)
    assert told(linear, inputs).mean() == pytest.approx(labels.mean(), rel=0.01)


def test_one_positive_in_ten_thousand() -> None:
    inputs, labels, true = world(600_000, 1e-4, seed=3)
    model = fitted(inputs, labels, Imbalance(negatives="100 per positive"))
    ratio = told(model, inputs).mean() / labels.mean()
    assert labels.sum() < 100
    assert abs(ratio - 1) < 0.1
    assert np.corrcoef(told(model, inputs), true)[0, 1] > 0.9


def test_odds_are_exactly_shifted_where_nothing_is_learnt() -> None:
    """A model of the rate alone is corrected to the last digit, whatever was kept."""
    labels = np.r_[np.ones(10), np.zeros(99_990)]
    inputs = pd.DataFrame({"x": np.zeros(len(labels))})
    for policy in POLICIES.values():
        if policy.calibration != "none":
            continue
        model = fitted(inputs, labels, policy)
        assert told(model, inputs[:1])[0] == pytest.approx(1e-4, rel=1e-4)


def test_heavy_rows_are_kept_and_sums_stay() -> None:
    rng = np.random.default_rng(5)
    weights = rng.pareto(1.0, 20_000) + 1
    labels = (rng.random(20_000) < 0.02).astype("float64")
    for seed in range(20):
        policy = Imbalance(negatives="5%", seed=seed)
        found = imbalance.draw(labels, weights, policy, keys=np.arange(20_000))
        negatives = labels[found.positions] == 0
        assert found.stands_for[negatives].sum() == pytest.approx(weights[labels == 0].sum())
        assert found.stands_for[~negatives].sum() == pytest.approx(weights[labels == 1].sum())
        assert negatives.sum() == pytest.approx(0.05 * (labels == 0).sum(), rel=0.15)
        assert np.argmax(np.where(labels == 0, weights, 0)) in found.positions


def test_sums_over_any_part_are_unbiased() -> None:
    """Of rows above a feature's median, over 400 seeds, within three standard errors."""
    rng = np.random.default_rng(6)
    weights, labels = rng.pareto(1.5, 3000) + 1, np.r_[np.ones(30), np.zeros(2970)]
    part = rng.random(3000) < 0.5
    sums = []
    for seed in range(400):
        found = imbalance.draw(labels, weights, Imbalance(negatives="10%", seed=seed))
        sums.append(found.stands_for[part[found.positions]].sum())
    error = np.std(sums) / 20
    assert abs(np.mean(sums) - weights[part].sum()) < 3 * error


def test_the_same_rows_are_kept_whatever_else_is_there() -> None:
    labels, policy = np.r_[1.0, np.zeros(9999)], Imbalance(negatives="10%")
    keys = np.array([f"r{n}" for n in range(10_000)])
    first = set(keys[imbalance.draw(labels, np.ones(10_000), policy, keys).positions])
    half = slice(0, 5000)
    again = keys[half][imbalance.draw(labels[half], np.ones(5000), policy, keys[half]).positions]
    assert set(again) == first & set(keys[half])
    other = imbalance.draw(labels, np.ones(10_000), policy.model_copy(update={"seed": 1}), keys)
    assert set(keys[other.positions]) != first


def test_the_defaults_change_nothing(rare: Any) -> None:
    inputs, labels, _ = rare
    few = slice(0, 20_000)
    plain = LogisticRegression(solver="newton-cholesky", C=1e6, tol=1e-9)
    plain.fit(inputs[few], labels[few], sample_weight=np.ones(20_000))
    model = fitted(inputs[few], labels[few], Imbalance())
    assert (told(model, inputs[few]) == told(plain, inputs[few])).all()


@pytest.mark.parametrize("name", POLICIES)
def test_a_corrected_model_can_be_stored(name: str, rare: Any, tmp_path: Path) -> None:
    inputs, labels, _ = rare
    model = fitted(inputs[:100_000], labels[:100_000], POLICIES[name])
    path = tmp_path / "model.skops"
    path.write_bytes(model_file.dump(model))
    again = told(model_file.load(path), inputs[:1000])
    assert (again == told(model, inputs[:1000])).all()
    assert ((again > 0) & (again < 1)).all()


@pytest.mark.parametrize(
    ("labels", "weights", "what"),
    [
        ([1.0, 1.0], [1.0, 1.0], "negatives"),
        ([0.0, 0.0], [1.0, 1.0], "positives"),
        ([0.0, 0.5], [1.0, 1.0], "labels"),
        ([0.0, 1.0], [1.0, float("nan")], "weights"),
        ([0.0, 1.0], [1.0, 0.0], "weights"),
        ([0.0, 1.0], [1.0], "weights"),
    ],
)
def test_nonsense_is_refused(labels: list[float], weights: list[float], what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        imbalance.draw(labels, weights, Imbalance(negatives="5%"))


def test_too_few_positives_for_a_calibration_are_refused() -> None:
    inputs, labels = pd.DataFrame({"x": np.arange(1000.0) % 7}), np.r_[np.ones(5), np.zeros(995)]
    with pytest.raises(InvalidInput, match="at least 20"):
        fitted(inputs, labels, Imbalance(negatives="50%", calibration="platt"))
    assert not isinstance(
        fitted(inputs, labels, Imbalance(negatives="50%", calibration="auto")), Corrected
    )


@pytest.mark.parametrize("text", ["0%", "101%", "five", "-1 per positive", "0 per positive", 5])
def test_a_wrong_share_of_negatives_is_refused(text: object) -> None:
    with pytest.raises(ValidationError, match="per positive"):
        Imbalance.model_validate({"negatives": text})


@pytest.mark.parametrize("text", ["all", "5%", "0.05%", "20 per positive"])
def test_it_is_written_as_it_was_read(text: str) -> None:
    assert Imbalance.model_validate({"negatives": text}).model_dump()["negatives"] == text
