"""Ranking: how well probabilities put positives before negatives, where positives are rare.

The area under the ROC curve is the chance that a positive has the higher probability of two rows.
Its variance is that of DeLong, DeLong and Clarke-Pearson (1988), summed by entity as Obuchowski
(1997) does, and never taken for less than what chance alone shows, 1 / (12 positives): of a few
positives the former is often 0. Average precision is the mean precision at the positives; by
chance it is the rate (Davis and Goadrich, 2006).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from driftloop.evaluation.difference import FEWEST_ENTITIES, Interval
from driftloop.evaluation.loss import Floats


@dataclass(frozen=True)
class Ranking:
    """The area under the ROC curve with its standard error, and average precision."""

    area: float
    error: float
    average_precision: float
    entities: int

    def interval(self, confidence: float) -> Interval:
        """Return the area between its one-sided bounds, Student's; of few entities 0 and 1."""
        if self.entities < FEWEST_ENTITIES:
            return Interval(0.0, self.area, 1.0)
        reach = float(special.stdtrit(self.entities - 1, confidence)) * self.error
        return Interval(max(0.0, self.area - reach), self.area, min(1.0, self.area + reach))


def rank(probability: Floats, positives: Floats, weight: Floats, entities: Any) -> Ranking | None:
    """Return how the rows, so many impressions each, are ranked; None without both classes.

    ``entities``: number of each row's entity, from 0; rows of one rise and fall together.

    >>> one = np.ones(4)
    >>> found = rank(np.array([0.9, 0.8, 0.2, 0.1]), np.array([1.0, 0, 1, 0]), one, np.arange(4))
    >>> found.area, round(found.average_precision, 3)
    (0.75, 0.833)
    """
    negatives = weight - positives
    many, rest = float(positives.sum()), float(negatives.sum())
    if many <= 0 or rest <= 0:
        return None
    _, place = np.unique(probability, return_inverse=True)
    hits, misses = (np.bincount(place, one).astype("float64") for one in (positives, negatives))
    # Of a value: the share of negatives below it, and of positives above it, ties by half.
    below = (np.cumsum(misses) - misses / 2) / rest
    above = (many - np.cumsum(hits) + hits / 2) / many
    area = float((hits * below).sum() / many)
    own = positives * (below[place] - area) / many + negatives * (above[place] - area) / rest
    count = int(np.max(entities)) + 1
    variance = float((np.bincount(entities, own) ** 2).sum()) * count / max(1, count - 1)
    error = math.sqrt(max(variance, (1 / many + 1 / rest) / 12))
    return Ranking(area, error, _average_precision(hits, misses), count)


def _average_precision(hits: Floats, misses: Floats) -> float:
    """Return it from the positives and negatives of each value, ascending; ties as one step."""
    found, shown = np.cumsum(hits[::-1]), np.cumsum((hits + misses)[::-1])
    return float((hits[::-1] * found / np.maximum(shown, 1e-300)).sum() / found[-1])
