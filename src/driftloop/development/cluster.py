"""Cluster: whether a sum over rows is surely above 0, where rows of one entity go together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from driftloop.evaluation.difference import FEWEST_ENTITIES, Floats


@dataclass(frozen=True)
class Sum:
    """A sum over entities, its standard error, and how many entities it is of."""

    value: float
    error: float
    entities: int

    @property
    def p_value(self) -> float:
        """Return the chance of so much where the true sum is 0 or less; 1 for few entities."""
        if self.entities < FEWEST_ENTITIES or not self.error > 0:
            return 1.0
        return float(stats.t.sf(self.value / self.error, self.entities - 1))

    def bounds(self, confidence: float) -> tuple[float, float]:
        """Return the one-sided bounds, each at ``confidence``."""
        if self.entities < FEWEST_ENTITIES:
            return -math.inf, math.inf
        reach = float(stats.t.ppf(confidence, self.entities - 1)) * self.error
        return self.value - reach, self.value + reach


def of_entities(sums: Floats) -> Sum:
    """Return the sum of what each entity adds.

    >>> of_entities(np.array([1.0, 1.0, 4.0]))
    Sum(value=6.0, error=3.0, entities=3)
    """
    count = len(sums)
    spread = float(((sums - sums.mean()) ** 2).sum()) if count else 0.0
    error = math.sqrt(spread * count / (count - 1)) if count > 1 else math.inf
    return Sum(float(sums.sum()), error, count)


def of_rows(values: Floats, entities: pd.Series[Any] | Any) -> Sum:
    """Return the sum of rows' ``values``, which may go together within an entity."""
    codes, names = pd.factorize(np.asarray(entities), use_na_sentinel=False)
    return of_entities(np.bincount(codes, values, len(names)).astype("float64"))
