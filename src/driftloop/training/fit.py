"""Fit: recency-weighted fits of every named estimator, and the choice by the loop's metric."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from driftloop.evaluation import loss
from driftloop.spec.features import Column
from driftloop.training import rebalanced, split
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput

if TYPE_CHECKING:
    from driftloop.evaluation.loss import Floats


LARGEST = 1e100
"""Beyond this a number is nonsense, and sums of squares would overflow."""


@dataclass(frozen=True)
class Choice:
    """The estimator that did best on the held-out rows.

    ``candidate`` saw only rows before ``holdout_start``; ``release`` is the same recipe fitted
    on all rows; ``scores``: each estimator's weighted metric on the held-out rows.
    """

    estimator: str
    candidate: Any
    release: Any
    holdout_start: pd.Timestamp
    scores: dict[str, float]


def choose(usecase: UseCase, rows: pd.DataFrame, onset: datetime | None) -> Choice:
    """Fit every estimator of loop.yaml before the hold-out and choose by loss on it."""
    start = split.holdout_start(rows["event_time"], usecase.loop, onset)
    early, late = rows[rows["event_time"] < start], rows[rows["event_time"] >= start]
    if early.empty or late.empty:
        what = "the training window"
        raise InvalidInput(what, f"loop {usecase.loop.name}", "two or more instants", start)
    fitted = {name: fit(usecase, name, early) for name in usecase.loop.spec.training.estimators}
    scores = {name: score(usecase, model, late) for name, model in fitted.items()}
    best = min(scores, key=lambda name: scores[name])
    return Choice(best, fitted[best], fit(usecase, best, rows), start, scores)


def fit(usecase: UseCase, name: str, rows: pd.DataFrame) -> Any:
    """Return the estimator ``name`` fitted on ``rows``, newer rows weighing more.

    Where ``training.imbalance`` samples the rows, probabilities are corrected to those of all.
    """
    makers = usecase.estimators()
    if name not in makers:
        allowed = f"one of {sorted(makers)}"
        raise InvalidInput("training.estimators", f"loop {usecase.loop.name}", allowed, name)
    positions, labels, weights = usecase.weighted_labels(rows)
    inputs = model_inputs(usecase, rows).iloc[positions]
    recency = recency_weights(rows["event_time"], usecase.loop.spec.training.half_life)
    return rebalanced.fit(
        makers[name](usecase.loop),
        inputs,
        labels,
        weights * recency[positions],
        usecase.loop.spec.training.imbalance,
        keys=_keys(rows, positions),
    )


def _keys(rows: pd.DataFrame, positions: Any) -> Any:
    """Return what rows are kept by where not all are: their ids, if they have any."""
    return rows["prediction_id"].to_numpy()[positions] if "prediction_id" in rows else None


def recency_weights(times: pd.Series[pd.Timestamp], half_life: pd.Timedelta | Any) -> Floats:
    """Return 2^(-age / half_life) of each time, age counted back from the newest.

    >>> days = pd.Series(pd.to_datetime(["2012-04-01", "2012-04-03"], utc=True))
    >>> recency_weights(days, pd.Timedelta(days=2)).tolist()
    [0.5, 1.0]
    """
    age = (times.max() - times) / pd.Timedelta(half_life)
    return np.exp2(-age.to_numpy("float64"))


def model_inputs(usecase: UseCase, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the model's columns in loop.yaml's order and types.

    A number outside its column's contract is taken as missing, in training and in serving: an
    upstream that sends another unit must not throw predictions to 0 or 1.
    """
    columns = {c.name: _input(rows[c.name], c) for c in usecase.loop.spec.features.columns}
    return pd.DataFrame(columns, index=rows.index)


def _input(values: pd.Series[Any], column: Column) -> pd.Series[Any]:
    if column.kind == "categorical":
        return values.astype(object)
    numbers, (low, high) = values.astype("float64"), column.range
    numbers = numbers.where(numbers.abs() <= LARGEST)  # So is what no estimator can take.
    if low is not None:
        numbers = numbers.where(numbers >= low)
    return numbers if high is None else numbers.where(numbers <= high)


def predict(usecase: UseCase, model: Any, rows: pd.DataFrame) -> Floats:
    """Return the model's probability of a positive for each row."""
    probabilities: Floats = model.predict_proba(model_inputs(usecase, rows))[:, 1]
    return probabilities


def score(usecase: UseCase, model: Any, rows: pd.DataFrame) -> float:
    """Return the weighted log loss of ``model`` on labelled ``rows``."""
    return loss.mean_log_loss(predict(usecase, model, rows), rows["positives"], rows["weight"])
