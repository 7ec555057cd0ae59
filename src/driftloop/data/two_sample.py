"""Two samples: whether a classifier can tell the rows of one from those of the other.

A classifier learns on one half of the groups to say which sample a row is from, and is judged by
the area under the ROC curve on the other, then the other way round (Lopez-Paz and Oquab, 2017).
Half is chance: it sees joint changes that no column shows alone. Its odds, with the samples'
sizes divided out, say how much likelier a row is in the one than in the other, and so what each
training row would have to weigh for the sample to be as the traffic is (Sugiyama et al., 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from driftloop.evaluation import difference, ranking
from driftloop.evaluation.difference import Interval
from driftloop.evaluation.loss import Floats

MOST_WEIGHT = 10.0
"""Times the mean that a row may weigh: a few rows must not stand for all."""
SEED = 0


@dataclass(frozen=True, eq=False)
class Told:
    """How well the samples are told apart.

    ``area``: under the ROC curve, of rows that the classifier had not seen; ``importance``: of
    each row of the first sample, 1 on average.
    """

    area: Interval
    importance: Floats

    @property
    def effective(self) -> float:
        """Return how many rows of equal weight the weighted first sample is worth (Kish, 1965)."""
        return float(self.importance.sum() ** 2 / (self.importance**2).sum())


def tell(
    first: pd.DataFrame,
    second: pd.DataFrame,
    groups: pd.Series[Any],
    weights: Floats,
    rng: np.random.Generator,
    confidence: float = 0.95,
) -> Told:
    """Return how well the columns tell ``first`` from ``second``.

    Both frames hold numbers and categories in the same columns; ``groups`` and ``weights``: of the
    rows of first, then second. A group is learnt from or judged, as a whole.
    """
    inputs = _coded(pd.concat([first, second], ignore_index=True))
    is_second = (np.arange(len(inputs)) >= len(first)).astype("float64")
    half = difference.halves(groups, rng)
    odds = np.empty(len(inputs))
    for side in (0, 1):
        seen, judged = half != side, half == side
        odds[judged] = _log_odds(inputs, is_second, weights, seen, judged)
    codes = pd.factorize(groups, use_na_sentinel=False)[0]
    ranked = ranking.rank(_within(odds, half), is_second * weights, weights, codes)
    assert ranked is not None  # Both samples have rows.
    return Told(ranked.interval(confidence), _importance(odds[: len(first)], weights[: len(first)]))


def _log_odds(inputs: Any, is_second: Floats, weights: Floats, seen: Any, judged: Any) -> Floats:
    """Return log-odds with the samples' sizes divided out."""
    known = is_second[seen]
    sizes = [float(weights[seen][known == value].sum()) for value in (0, 1)]
    if min(sizes) <= 0:
        return np.zeros(int(judged.sum()))
    balanced = weights[seen] / np.where(known == 1, sizes[1], sizes[0])
    trees = HistGradientBoostingClassifier(
        max_iter=25,
        learning_rate=0.15,
        max_leaf_nodes=8,
        min_samples_leaf=50,
        max_bins=63,
        random_state=SEED,
    )
    trees.fit(inputs[seen], known, sample_weight=balanced * len(known))
    found: Floats = trees.decision_function(inputs[judged])
    return found


def _within(odds: Floats, half: Any) -> Floats:
    """Return odds less their half's mean: two classifiers need not agree on the level."""
    means = np.bincount(half, odds) / np.maximum(np.bincount(half), 1)
    return np.asarray(odds - means[half])


def _importance(odds: Floats, weights: Floats) -> Floats:
    ratio = np.exp(odds - odds.max())
    for _ in range(2):
        ratio = ratio / np.average(ratio, weights=weights)
        ratio = np.minimum(ratio, MOST_WEIGHT)
    return np.asarray(ratio / np.average(ratio, weights=weights))


def _coded(frame: pd.DataFrame) -> Any:
    """Return numbers as they are and categories by how often they come, missing as missing."""
    columns = []
    for name in frame:
        values = frame[name]
        if pd.api.types.is_numeric_dtype(values):
            columns.append(values.astype("float64").replace([np.inf, -np.inf], np.nan))
        else:
            order = values.value_counts().index
            codes = pd.Series(np.arange(len(order), dtype="float64"), index=order)
            columns.append(values.map(codes).astype("float64"))
    return np.column_stack(columns)
