"""Targets: losses of classes are scikit-learn's, and those of an outcome what they always were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from driftloop.evaluation import loss
from driftloop.training.target import Binary, Classes
from driftloop_contracts.errors import InvalidInput

NAMES = ("hr", "accounting", "it")
DESKS = Classes(NAMES)


class Model:
    """Says what it was given, in the order of its own classes."""

    def __init__(self, probabilities: Any, classes: list[Any]) -> None:
        self.probabilities, self.classes_ = np.array(probabilities), np.array(classes)

    def predict_proba(self, inputs: pd.DataFrame) -> Any:
        return self.probabilities


def rows(*categories: str, weight: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"category": list(categories), "weight": weight, "positives": weight})


def test_probabilities_come_in_the_order_of_the_loop() -> None:
    model = Model([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], ["accounting", "hr", "it"])
    found = DESKS.answers(model, rows("hr", "it"))
    assert found.probabilities is not None
    assert found.probabilities.tolist() == [[0.2, 0.7, 0.1], [0.3, 0.1, 0.6]]
    assert list(found.chosen) == ["accounting", "it"]
    assert found.prediction.tolist() == [0.7, 0.6]


def test_a_class_that_the_model_never_saw_is_never_chosen_and_costs_a_finite_loss() -> None:
    found = DESKS.answers(Model([[0.4, 0.6]], ["accounting", "hr"]), rows("it"))
    assert list(found.chosen) == ["hr"]
    assert DESKS.judge(found, rows("it")).loss[0] == pytest.approx(-np.log(loss.CLIP))


def test_cross_entropy_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth, weight = rng.choice(NAMES, 500), rng.integers(1, 5, 500).astype(float)
    given = rng.dirichlet((1, 1, 1), 500)
    labelled = pd.DataFrame({"category": truth, "weight": weight})
    judged = DESKS.judge(DESKS.answers(Model(given, list(NAMES)), labelled), labelled)
    alphabetical = given[:, [1, 0, 2]]
    expected = log_loss(truth, alphabetical, sample_weight=weight, labels=sorted(NAMES))
    assert judged.loss.sum() / weight.sum() == pytest.approx(expected, rel=1e-6)
    squares = ((given - (truth[:, None] == np.array(NAMES))) ** 2).sum(axis=1) * weight
    assert judged.brier == pytest.approx(squares)


def test_what_is_counted_is_whether_the_answer_was_right() -> None:
    answers = DESKS.answers(Model([[0.2, 0.7, 0.1]] * 2, list(NAMES)), rows("hr", "hr"))
    judged = DESKS.judge(answers, rows("accounting", "it", weight=4.0))
    assert judged.positives.tolist() == [4.0, 0.0]
    assert judged.predicted.tolist() == pytest.approx([2.8, 2.8])


def test_the_trivial_answer_is_how_often_each_class_came() -> None:
    base = DESKS.base(rows(*["hr"] * 70, *["it"] * 27))
    assert base.tolist() == pytest.approx([0.71, 0.01, 0.28])
    always = DESKS.always(base, 2)
    assert list(always.chosen) == ["hr", "hr"]
    known = rows(*["hr"] * 5, *["it"] * 5)
    assert DESKS.entropy(known) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [(["hr", "sales"], "must be one of"), (["hr", "hr"], "rows of two or more classes")],
)
def test_labels_that_nothing_can_be_learnt_from_are_refused(
    labels: list[str], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        DESKS.labels(labels)


def test_a_category_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a category in the rows must be one of"):
        DESKS.base(rows("sales"))


def test_an_outcome_is_judged_as_before() -> None:
    rng = np.random.default_rng(1)
    p, weight = rng.random(50), rng.integers(1, 9, 50).astype(float)
    labelled = pd.DataFrame({"weight": weight, "positives": np.floor(weight * p)})
    answers = Binary().answers(Model(np.stack([1 - p, p], axis=1), [0, 1]), labelled)
    judged = Binary().judge(answers, labelled)
    assert (judged.loss == loss.log_loss(p, labelled["positives"], weight)).all()
    assert (judged.brier == loss.brier(p, labelled["positives"], weight)).all()
    assert (judged.predicted == p * weight).all()
    assert answers.chosen is None
