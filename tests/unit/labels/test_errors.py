"""Label errors that were put in, over many seeds, and clean labels in which there are none."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from driftloop.evaluation.difference import Interval
from driftloop.labels import errors, out_of_fold
from driftloop.labels.errors import LabelErrors
from driftloop_contracts.errors import InvalidInput

ROWS, SEEDS = 2000, range(20)
APART, CLOSE = 4.0, 2.0
"""Distances of two classes' centres: a model is right on 98 % and on 84 % of clean rows."""


def noisy(seed: int, rate: float, classes: int, apart: float) -> Any:
    """Return inputs, true classes, and labels of which ``rate`` were changed at random."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, ROWS)
    inputs = rng.normal(size=(ROWS, 6))
    inputs[np.arange(ROWS), truth] += apart / np.sqrt(2)
    changed = rng.random(ROWS) < rate
    other = (truth + rng.integers(1, classes, ROWS)) % classes
    return inputs, truth, np.where(changed, other, truth)


@cache
def searched(seed: int, rate: float, classes: int = 2, apart: float = APART) -> Any:
    """Return which labels are wrong, and what was found without knowing it."""
    inputs, truth, labels = noisy(seed, rate, classes, apart)

    def fit_and_predict(train: Any, test: Any) -> Any:
        model = LogisticRegression().fit(inputs[train], labels[train])
        return model.predict_proba(inputs[test])

    with threadpool_limits(1):
        p = out_of_fold.probabilities(fit_and_predict, labels, np.random.default_rng(seed))
    return labels != truth, errors.find(labels, p, "abc"[:classes], decidable=True)


@pytest.mark.parametrize(("rate", "classes"), [(0.05, 2), (0.1, 2), (0.2, 2), (0.1, 3)])
def test_finds_most_of_what_was_put_in_and_little_else(rate: float, classes: int) -> None:
    precision, recall, inside, low = [], [], 0, 0
    for seed in SEEDS:
        wrong, found = searched(seed, rate, classes)
        precision.append(wrong[found.flagged].mean())
        recall.append(wrong[found.flagged].sum() / wrong.sum())
        share = wrong.mean()
        inside += found.rate.low <= share <= found.rate.high
        low += found.rate.low <= share
    assert np.mean(precision) > 0.9
    assert np.mean(recall) > 0.7
    assert low >= 0.95 * len(SEEDS)
    assert inside >= 0.9 * len(SEEDS)


@pytest.mark.parametrize("rate", [0.05, 0.1])
def test_says_how_many_of_the_most_suspect_rows_are_wrong(rate: float) -> None:
    for k in (50, 150):
        pairs = [
            (found.expected(k).estimate, wrong[found.order[:k]].mean())
            for wrong, found in (searched(seed, rate, apart=apart) for seed in SEEDS[:10]
            for apart in (APART, CLOSE))
        ]  # fmt: skip
        said, came = np.array(pairs).T
        assert abs(said.mean() - came.mean()) < 0.1


@pytest.mark.parametrize("apart", [APART, CLOSE])
def test_clean_labels_are_not_called_wrong(apart: float) -> None:
    for seed in SEEDS:
        _, found = searched(seed, 0.0, apart=apart)
        # Of what the model gets wrong, less than a fifth passes for an error of a label.
        assert found.rate.estimate <= 0.2 * found.disagreement
        assert found.rate.low <= 0.02
        assert errors.judge(found.rate, 0.02, ROWS, "the surest rows") is None
        naive = 1 - np.trace(found.joint) / ROWS
        assert apart == APART or naive > 0.05  # The confident joint alone would say so.


def test_too_many_errors_send_the_loop_back_with_the_numbers() -> None:
    _, found = searched(1, 0.2)
    told = errors.judge(found.rate, 0.05, ROWS, "the surest rows")
    assert told is not None
    assert told.to_data()["rule"] == "label_errors"
    assert f"{found.rate.low:.1%} or more, where 5.0% are allowed" in told.reason


def test_of_chance_nothing_is_known_but_an_order() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.02, 0.3, 5000)
    clicks = (rng.random(5000) < p).astype(int)
    for decidable in (False, True):  # Even where one claims that a row decides its click.
        found = errors.find(clicks, p, ("no", "click"), decidable=decidable)
        assert (found.rate.low, found.rate.high) == (0, 1)
        assert math.isnan(found.rate.estimate)
        assert errors.judge(found.rate, 0.0, 5000, "x") is None
        assert "not known" in found.sentence(10)
        assert found.to_data(3)["rate"]["estimate"] is None
        assert clicks[found.order[0]] == 1


def test_aggregates_and_rows_without_a_label_are_left_alone() -> None:
    labels = errors.single([0, 1, 3, 0], [1, 1, 20, 2])
    assert labels.tolist() == [0, 1, -1, -1]
    wrong, whole = searched(1, 0.1)
    codes = whole.labels.copy()
    codes[:100] = -1
    p = np.full((ROWS, 2), 0.5)
    p[:, 1] = np.where(whole.proposed == 1, 0.9, 0.1)
    p[:, 0] = 1 - p[:, 1]
    found = errors.find(codes, p, ("a", "b"), decidable=True)
    assert found.order.min() >= 100
    assert np.isnan(found.wrong[:100]).all()
    assert found.to_data()["rows"] == ROWS - 100
    assert wrong[found.flagged].mean() > 0.5


def test_the_order_is_by_margin_and_names_are_as_good_as_codes() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    found = errors.find(["b", "a", "b", "a"], p, ("a", "b"), decidable=False)
    assert found.order.tolist() == [0, 1, 2, 3]
    assert found.margin.round(1).tolist() == [-0.8, -0.6, 0.2, 0.4]
    table = found.table(2)
    assert table["label"].tolist() == ["b", "a"]
    assert table["proposed"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("labels", "p", "match"),
    [
        ([0, 1], [[0.5, 0.5]], "2 rows of 2 classes"),
        ([0, 1], [0.5, math.nan], "numbers from 0 to 1"),
        ([0, 1], [0.5, 1.5], "numbers from 0 to 1"),
        ([0, 1], [[0.5, 0.1]] * 2, "a sum of 1"),
        ([0, 1], ["x", "y"], "numbers"),
        ([0, 0], [0.5, 0.5], "each class"),
        ([0, 7], [0.5, 0.5], "-1 to 1"),
        (["a", "z"], [0.5, 0.5], "a label in the search"),
        ([], [], "each class"),
    ],
)
def test_nonsense_gets_a_sentence(labels: Any, p: Any, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        errors.find(labels, p, ("a", "b"), decidable=True)


def test_no_row_is_predicted_by_a_model_that_saw_its_entity() -> None:
    entities, labels = np.repeat(np.arange(30), 4), np.tile([0, 1], 60)
    labels[:7] = -1

    def fit_and_predict(train: Any, test: Any) -> Any:
        assert not set(entities[train]) & set(entities[test])
        assert (labels[train] >= 0).all()
        return np.full(len(test), 0.5)

    rng = np.random.default_rng(0)
    p = out_of_fold.probabilities(fit_and_predict, labels, rng, entities=entities)
    assert (p == 0.5).all()
    with pytest.raises(InvalidInput, match="entities"):
        out_of_fold.probabilities(fit_and_predict, labels, rng, entities=np.zeros(120))


def test_sentence_tells_false_alarms() -> None:
    found: LabelErrors = searched(2, 0.1)[1]
    assert isinstance(found.rate, Interval)
    assert "the others are false alarms" in found.sentence(100)


@given(
    arrays(np.float64, st.integers(2, 120), elements=st.floats(0, 1)),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_whatever_the_probabilities_what_is_found_is_sound(
    p: Any, seed: int, decidable: bool
) -> None:
    labels = np.random.default_rng(seed).integers(-1, 2, len(p))
    labels[:2] = 0, 1
    found = errors.find(labels, p, ("a", "b"), decidable=decidable)
    assert sorted(found.order) == np.flatnonzero(labels >= 0).tolist()
    assert set(found.flagged) <= set(found.order)
    assert 0 <= found.rate.low <= found.rate.high <= 1
    assert found.joint.sum() == pytest.approx((labels >= 0).sum())
    wrong = found.wrong[~np.isnan(found.wrong)]
    assert ((wrong >= 0) & (wrong <= 1)).all()
    json.dumps(found.to_data(5), allow_nan=False)
    assert found.sentence(5)


def test_it_all_goes_into_json() -> None:
    data = json.loads(json.dumps(searched(3, 0.1)[1].to_data(7), allow_nan=False))
    assert len(data["top"]) == 7
    assert 0 < data["expected_wrong"]["estimate"] <= 1
