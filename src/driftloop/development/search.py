"""Search: better parameters of one estimator by successive halving, within a budget of time.

Many candidates are tried on few rows, one in ``factor`` of them on more, until the last ones see
all (Jamieson and Talwalkar, 2016; scikit-learn's HalvingGridSearchCV and HalvingRandomSearchCV).
Folds are blocks of time, each judged by a fit on what came before it. A fit gets the weights that
the loop fits with, the score is the loop's metric under the weights of the labels alone.

The budget ends a search after the fit that exceeds it; what counts is then the best of those that
got furthest. The same rows and limits find the same, unless the budget cuts in.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV

from driftloop.evaluation import loss
from driftloop.evaluation.difference import Floats
from driftloop.spec.search import Search
from driftloop_contracts.errors import InvalidInput

SEED = 0
FEWEST = 500
"""Labels below which nothing is searched for."""

Timer = Callable[[], float]
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Rows:
    """Weighted labels: ``weights`` score, ``fitting`` weights fit under ``weight_name``."""

    inputs: pd.DataFrame
    labels: Floats
    weights: Floats
    fitting: Floats
    times: pd.Series[pd.Timestamp]
    weight_name: str


@dataclass(frozen=True)
class Searched:
    """The best parameters, their mean loss over the folds, and how many candidates were tried."""

    parameters: dict[str, Any]
    loss: float
    tried: int
    stopped: bool

    def to_data(self) -> dict[str, Any]:
        """Return what was found, ready for JSON."""
        return {
            "parameters": self.parameters,
            "loss": round(self.loss, 6),
            "tried": self.tried,
            "stopped": self.stopped,
        }


class _TimeUp(BaseException):
    """The budget is spent; no Exception, since scikit-learn takes those for a failed fit."""


@dataclass
class _Scores:
    """Scores every fit, keeps what each candidate came to, and stops when the time is up."""

    weights: Floats
    names: tuple[str, ...]
    until: float
    timer: Timer
    kept: dict[str, tuple[dict[str, Any], list[float]]] = field(default_factory=dict)

    def __call__(self, estimator: Any, inputs: pd.DataFrame, labels: Floats) -> float:
        """Return the negative loss on a fold; the index says which weights its rows have."""
        weights = self.weights[inputs.index.to_numpy()]
        probability = estimator.predict_proba(inputs)[:, 1]
        found = loss.mean_log_loss(probability, labels * weights, weights)
        own = estimator.get_params()
        parameters = {name: own[name] for name in self.names}
        self.kept.setdefault(repr(parameters), (parameters, []))[1].append(found)
        if self.timer() > self.until:
            raise _TimeUp
        return -found

    def best(self, folds: int) -> tuple[dict[str, Any], float] | None:
        """Return the best of the candidates that got furthest, by their last ``folds`` scores."""
        rungs = {key: len(scores) // folds for key, (_, scores) in self.kept.items()}
        furthest = max(rungs.values(), default=0)
        if not furthest:
            return None
        means = {
            key: float(np.mean(self.kept[key][1][(furthest - 1) * folds : furthest * folds]))
            for key, rung in rungs.items()
            if rung == furthest
        }
        key = min(means, key=lambda one: means[one])
        return self.kept[key][0], means[key]


def best(
    estimator: Any, space: Values, rows: Rows, policy: Search, timer: Timer = time.monotonic
) -> Searched | None:
    """Return the best parameters of ``space`` ({parameter: values}), None where there are too few
    labels, or only one in a fold.

    Raise InvalidInput for a parameter that the estimator does not have, or without values.
    """
    _require(estimator, space)
    cuts = folds(rows.times, policy.folds)
    enough = len(rows.labels) >= FEWEST and all(
        len(np.unique(rows.labels[part])) == 2 for cut in cuts for part in cut
    )
    if not cuts or not enough:
        return None
    ends = timer() + policy.budget.total_seconds()
    scores = _Scores(rows.weights, tuple(sorted(space)), ends, timer)
    search, stopped = _halving(estimator, space, cuts, policy, scores), False
    with warnings.catch_warnings():
        # A fit that fails on few rows is a candidate that does not go on.
        warnings.simplefilter("ignore")
        try:
            inputs = rows.inputs.reset_index(drop=True)
            search.fit(inputs, rows.labels, **{rows.weight_name: rows.fitting})
        except _TimeUp:
            stopped = True
        except ValueError as error:
            allowed, told = "values that the estimator can be fitted with", str(error)
            raise InvalidInput("the search", "search_spaces", allowed, told[-200:]) from error
    found = scores.best(len(cuts))
    return Searched(*found, len(scores.kept), stopped) if found else None


def _require(estimator: Any, space: Values) -> None:
    known = estimator.get_params()
    for name, values in space.items():
        if name not in known:
            allowed = "parameters of its estimator"
            raise InvalidInput(f"parameter '{name}'", "search_spaces", allowed, sorted(known))
        if not isinstance(values, list | tuple | np.ndarray) or not len(values):
            raise InvalidInput(f"the values of '{name}'", "search_spaces", "a list", values)


def _halving(estimator: Any, space: Values, cuts: Any, policy: Search, scores: _Scores) -> Any:
    """Return the search over all combinations where they are few, else over a sample of them."""
    own = {
        "factor": policy.factor, "cv": cuts, "scoring": scores, "random_state": SEED,
        "refit": False, "return_train_score": False, "error_score": np.nan,
        "min_resources": "exhaust",
    }  # fmt: skip
    values = {name: list(one) for name, one in space.items()}
    if math.prod(len(one) for one in values.values()) <= policy.candidates:
        return HalvingGridSearchCV(estimator, values, **own)
    return HalvingRandomSearchCV(estimator, values, n_candidates=policy.candidates, **own)


def folds(times: pd.Series[pd.Timestamp], count: int) -> list[tuple[Any, Any]]:
    """Return (positions before, positions within) of up to ``count`` blocks of time.

    Labels of one instant are never on both sides.

    >>> days = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-02", "2026-01-03"]))
    >>> [(a.tolist(), b.tolist()) for a, b in folds(days, 3)]
    [([0], [1, 2]), ([0, 1, 2], [3])]
    """
    instants = times.to_numpy()
    ordered, known = np.sort(instants), np.unique(instants)
    wanted = [ordered[len(ordered) * n // (count + 1)] for n in range(1, count + 1)]
    cuts = [one for one in np.unique(np.array(wanted)) if one > known[0]]
    found = []
    for start, end in zip(cuts, [*cuts[1:], None], strict=False):  # of no cuts, none
        within = (instants >= start) & ((instants < end) if end is not None else True)
        found.append((np.flatnonzero(instants < start), np.flatnonzero(within)))
    return found
