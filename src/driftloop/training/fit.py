"""Fit: recency-weighted fits of every named estimator, and the choice by the loop's metric."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from driftloop.loop import LearningLoop
from driftloop.spec.features import Column
from driftloop.training import split, target
from driftloop.training.target import Answers
from driftloop.usecase import UseCase
from driftloop_contracts import text
from driftloop_contracts.errors import InvalidInput

if TYPE_CHECKING:
    from driftloop.development.search import Searched
    from driftloop.evaluation.loss import Floats


SEARCHED = "(searched)"
"""Follows an estimator's name where its parameters are those that a search found."""
NOTHING: Mapping[str, Any] = {}
LARGEST = 1e100
"""Beyond this a number is nonsense, and sums of squares would overflow."""


@dataclass(frozen=True)
class Choice:
    """The estimator that did best on the held-out rows.

    ``candidate`` saw only rows before ``holdout_start``; ``release`` is the same recipe fitted
    on all rows; ``scores``: each estimator's weighted metric on the held-out rows; ``parameters``:
    those of the choice that a search found; ``searches``: what each search found.
    """

    estimator: str
    candidate: Any
    release: Any
    holdout_start: pd.Timestamp
    scores: dict[str, float]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    searches: Mapping[str, Searched] = field(default_factory=dict)


def choose(usecase: UseCase, rows: pd.DataFrame, onset: datetime | None) -> Choice:
    """Fit every estimator of loop.yaml before the hold-out and choose by loss on it."""
    start = split.holdout_start(rows["event_time"], usecase.loop, onset)
    early, late = rows[rows["event_time"] < start], rows[rows["event_time"] >= start]
    if early.empty or late.empty:
        what = "the training window"
        raise InvalidInput(what, f"loop {usecase.loop.name}", "two or more instants", start)
    searches = _searches(usecase, early)
    recipes = {name: (name, NOTHING) for name in usecase.loop.spec.training.estimators}
    recipes |= {f"{name} {SEARCHED}": (name, one.parameters) for name, one in searches.items()}
    fitted = {key: fit(usecase, name, early, own) for key, (name, own) in recipes.items()}
    scores = {key: score(usecase, model, late) for key, model in fitted.items()}
    best = min(scores, key=lambda key: scores[key])
    name, own = recipes[best]
    return Choice(name, fitted[best], fit(usecase, name, rows, own), start, scores, own, searches)


def _searches(usecase: UseCase, early: pd.DataFrame) -> dict[str, Searched]:
    """Return what a search on the rows before the hold-out found for each estimator, if any."""
    training = usecase.loop.spec.training
    if training.search is None:
        return {}
    from driftloop.development import search
    from driftloop.training import rebalanced

    spaces = usecase.search_spaces()
    named = [name for name in training.estimators if spaces.get(name)]
    if not named:
        return {}
    positions, inputs, labels, weights, recency = _weighted(usecase, early)
    policy, times = training.search.shared_by(len(named)), early["event_time"].iloc[positions]
    found = {}
    for name in named:
        estimator = _estimator(usecase, name)
        own = search.Rows(
            inputs, labels, weights, weights * recency, times, rebalanced.weight_name(estimator)
        )
        found[name] = search.best(estimator, spaces[name], own, policy)
    return {name: one for name, one in found.items() if one is not None}


def fit(
    usecase: UseCase, name: str, rows: pd.DataFrame, parameters: Mapping[str, Any] = NOTHING
) -> Any:
    """Return the estimator ``name`` fitted on ``rows``, newer rows weighing more.

    ``parameters``: set before, where they are not the recipe's own. Where ``training.imbalance``
    samples the rows, probabilities are corrected to those of all.
    """
    # Who only predicts need not wait for what fits.
    from driftloop.training import rebalanced

    positions, inputs, labels, weights, recency = _weighted(usecase, rows)
    estimator = _estimator(usecase, name).set_params(**parameters)
    policy, keys = usecase.loop.spec.training.imbalance, _keys(rows, positions)
    return rebalanced.fit(estimator, inputs, labels, weights * recency, policy, keys)


def _keys(rows: pd.DataFrame, positions: Any) -> Any:
    """Return what rows are kept by where not all are: their ids, if they have any."""
    return rows["prediction_id"].to_numpy()[positions] if "prediction_id" in rows else None


def _estimator(usecase: UseCase, name: str) -> Any:
    made = maker(usecase, name)(usecase.loop)
    if not hasattr(made, "predict_proba"):
        where, allowed = str(usecase.folder / "model.py"), "a classifier with predict_proba"
        raise InvalidInput(f"estimator '{name}'", where, allowed, type(made).__name__)
    return made


def maker(usecase: UseCase, name: str) -> Callable[[LearningLoop], Any]:
    """Return what makes the unfitted estimator ``name``; raise InvalidInput for another name."""
    makers = usecase.estimators()
    if name not in makers:
        allowed = f"one of {sorted(makers)}"
        raise InvalidInput("training.estimators", f"loop {usecase.loop.name}", allowed, name)
    return makers[name]


def _weighted(
    usecase: UseCase, rows: pd.DataFrame
) -> tuple[Any, pd.DataFrame, Floats, Floats, Floats]:
    """Return each weighted label's position in ``rows``, inputs, label, weight and recency."""
    positions, labels, weights = usecase.weighted_labels(rows)
    if not len(positions) == len(labels) == len(weights):
        got = f"{len(positions)}, {len(labels)} and {len(weights)}"
        where = str(usecase.folder / "labels.py")
        raise InvalidInput("positions, labels and weights", where, "equally many", got)
    inputs = model_inputs(usecase, rows).iloc[positions]
    recency = recency_weights(rows["event_time"], usecase.loop.spec.training.half_life)
    known = target.of(usecase.loop).labels(labels)
    return positions, inputs, known, weights, recency[positions]


def recency_weights(
    times: pd.Series[pd.Timestamp],
    half_life: pd.Timedelta | Any,
    newest: pd.Timestamp | None = None,
) -> Floats:
    """Return 2^(-age / half_life) of each time, age counted back from ``newest``, or theirs.

    >>> days = pd.Series(pd.to_datetime(["2012-04-01", "2012-04-03"], utc=True))
    >>> recency_weights(days, pd.Timedelta(days=2)).tolist()
    [0.5, 1.0]
    """
    age = ((newest or times.max()) - times) / pd.Timedelta(half_life)
    return np.exp2(-age.to_numpy("float64"))


def model_inputs(usecase: UseCase, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the model's columns in loop.yaml's order and types.

    A text is cut at contracts/text.py's bound, and '' where it is missing.
    A number outside its column's contract is taken as missing, in training and in serving: an
    upstream that sends another unit must not throw predictions to 0 or 1.
    """
    columns = {c.name: _input(rows[c.name], c) for c in usecase.loop.spec.features.columns}
    return pd.DataFrame(columns, index=rows.index)


def _input(values: pd.Series[Any], column: Column) -> Any:
    # As arrays: of one row, each step of pandas takes longer than the model.
    if column.kind == "categorical":
        return values.to_numpy(object)
    if column.kind == "text":
        return np.array([*map(text.bounded, values)], object)
    numbers, (low, high) = values.to_numpy("float64", na_value=np.nan), column.range
    sound = np.abs(numbers) <= LARGEST  # Beyond it is what no estimator can take.
    if low is not None:
        sound &= numbers >= low
    if high is not None:
        sound &= numbers <= high
    return np.where(sound, numbers, np.nan)


def answers(usecase: UseCase, model: Any, rows: pd.DataFrame) -> Answers:
    """Return what ``model`` says of ``rows``, of classes whole."""
    return target.of(usecase.loop).answers(model, model_inputs(usecase, rows))


def predict(usecase: UseCase, model: Any, rows: pd.DataFrame) -> Floats:
    """Return the prediction of each row: of a positive, or of the class that is chosen."""
    return answers(usecase, model, rows).prediction


def score(usecase: UseCase, model: Any, rows: pd.DataFrame) -> float:
    """Return the weighted log loss or cross-entropy of ``model`` on labelled ``rows``."""
    judged = target.of(usecase.loop).judge(answers(usecase, model, rows), rows)
    return float(judged.loss.sum() / np.sum(rows["weight"].to_numpy("float64")))
