"""A search finds what is better, knows no future, hands weights down and keeps its budget."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from driftloop.bundle import model_file
from driftloop.development import search
from driftloop.spec.search import Search
from driftloop_contracts.errors import InvalidInput

SPACE = {"model__C": [1e-6, 1e-5, 1.0], "model__fit_intercept": [True]}


def recipe() -> Pipeline:
    return Pipeline([("inputs", StandardScaler()), ("model", LogisticRegression())])


def rows(size: int = 3_000, seed: int = 0) -> search.Rows:
    """Labels of weight 3, among others of weight 1 that say the opposite."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(size, 3))
    heavy = rng.random(size) < 0.5
    label = ((x[:, 0] > 0) == heavy) * 1.0
    weights = np.where(heavy, 3.0, 1.0)
    days = pd.to_timedelta(np.arange(size) // 100, unit="D")
    times = pd.Series(pd.Timestamp("2026-01-01", tz="UTC") + days)
    inputs = pd.DataFrame(x, columns=list("abc"), index=rng.permutation(size))
    return search.Rows(inputs, label, weights, weights * 0.5, times, "model__sample_weight")


def test_it_finds_the_better_and_the_same_again() -> None:
    first, again = (search.best(recipe(), SPACE, rows(), Search()) for _ in range(2))
    assert first is not None
    assert first.parameters == {"model__C": 1.0, "model__fit_intercept": True}
    assert first == again
    assert not first.stopped
    assert first.tried == 3


def test_weights_reach_fit_and_score() -> None:
    """With weights 3 in 4 labels follow the sign: the loss is theirs; without, there is nothing."""
    found = search.best(recipe(), SPACE, rows(), Search())
    assert found is not None
    assert found.loss < 0.65 < np.log(2)


def test_the_budget_ends_it_with_the_best_so_far() -> None:
    clock = count()
    policy = Search(folds=2).model_copy(update={"budget": timedelta(seconds=5)})
    found = search.best(recipe(), SPACE, rows(), policy, timer=lambda: float(next(clock)))
    assert found is not None
    assert found.stopped
    assert found.parameters["model__C"] in SPACE["model__C"]


def test_folds_are_judged_by_what_came_before() -> None:
    own = rows()
    for before, within in search.folds(own.times, 3):
        assert own.times.iloc[before].max() < own.times.iloc[within].min()
    same_time = pd.Series([pd.Timestamp("2026-01-01", tz="UTC")] * 9)
    assert search.folds(same_time, 3) == []


def test_the_winner_can_be_stored() -> None:
    found, own = search.best(recipe(), SPACE, rows(), Search()), rows()
    assert found is not None
    model = recipe().set_params(**found.parameters)
    assert model_file.dump(model.fit(own.inputs, own.labels, model__sample_weight=own.fitting))


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"model__depth": [1]}, "parameter 'model__depth' in search_spaces"),
        ({"model__C": []}, "the values of 'model__C' in search_spaces must be a list"),
        ({"model__C": ["much", "more"]}, "values that the estimator can be fitted with"),
    ],
)
def test_nonsense_is_refused(space: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        search.best(recipe(), space, rows(), Search())


def test_few_labels_are_not_searched() -> None:
    assert search.best(recipe(), SPACE, rows(300), Search()) is None


@pytest.mark.parametrize("bad", [{"budget": "0s"}, {"budget": "60"}, {"candidates": 1}])
def test_limits_carry_their_unit(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="budget|candidates"):
        Search.model_validate(bad)
