"""Difference: by how much one model's loss differs from another's, on all rows and on slices.

Losses are summed over groups of entities, because the rows of one entity rise and fall together,
and the groups are drawn again with replacement (Efron and Tibshirani, 1993, ch. 8). One draw
serves every comparison, so what they have in common stays common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

Floats = np.ndarray[Any, np.dtype[np.float64]]

FEWEST_ENTITIES = 20
"""Entities below which their resamples say too little: a bound of five is no bound."""
MOST_GROUPS = 2000
"""Groups that are drawn; entities beyond as many share one at random."""


class Interval(NamedTuple):
    """An estimate with its one-sided lower and upper confidence bounds."""

    low: float
    estimate: float
    high: float

    def listed(self) -> list[float | None]:
        """Return bounds and estimate as JSON has them, None for what is not known.

        >>> Interval(-np.inf, 0.5, 1.0).listed()
        [None, 0.5, 1.0]
        """
        return [finite(one) for one in self]

    def named(self) -> dict[str, float | None]:
        """Return the same by their names."""
        return {name: finite(one) for name, one in self._asdict().items()}


def finite(value: float) -> float | None:
    """Return a number as JSON may hold it: None where it is none, or endless.

    >>> finite(float("nan")) is finite(float("inf")) is None
    True
    """
    return float(value) if math.isfinite(value) else None


@dataclass(frozen=True)
class Estimate:
    """A number and what it came to in every resample."""

    value: float
    drawn: Floats

    def interval(self, confidence: float) -> Interval:
        """Return the number between its one-sided bounds."""
        if not len(self.drawn):
            return Interval(-np.inf, self.value, np.inf)
        low, high = np.quantile(self.drawn, [1 - confidence, confidence])
        return Interval(float(low), self.value, float(high))

    @property
    def error(self) -> float:
        """Return the standard error."""
        return float(self.drawn.std())

    @property
    def log_error(self) -> float:
        """Return the standard error of the logarithm of 1 + it.

        A ratio of few rows is skewed, its logarithm hardly.
        """
        return float(np.log1p(np.maximum(self.drawn, -0.999)).std())


@dataclass(frozen=True)
class Resampled:
    """Named columns' sums over all rows, [1 + resamples, columns]; the first are as seen."""

    names: tuple[str, ...]
    sums: Floats

    def of(self, name: str) -> Floats:
        """Return one column's sums."""
        found: Floats = self.sums[:, self.names.index(name)]
        return found

    def relative(self, first: str, second: str) -> Estimate:
        """Return (first - second) / second, of two columns of losses."""
        found = self.ratio(first, second)
        return Estimate(found.value - 1, found.drawn - 1)

    def ratio(self, above: str, below: str) -> Estimate:
        """Return one column's sum over another's.

        Resamples in which that is 0, because none of its entities came, are left out.
        """
        top, bottom = self.of(above), self.of(below)
        held = bottom > 0
        held[0] = True
        return _estimate(top[held] / np.maximum(bottom[held], 1e-300))

    def less_balanced(
        self, first: str, second: str, observed: str, of_second: str = ""
    ) -> Estimate:
        """Return how much further from 1 first / observed is than second / observed, in logs.

        ``of_second``: what the second is over, where that is another column.
        """
        other = self._imbalance(second, of_second or observed)
        return _estimate(self._imbalance(first, observed) - other)

    def _imbalance(self, predicted: str, observed: str) -> Floats:
        above, below = (np.maximum(self.of(name), 1e-300) for name in (predicted, observed))
        distance: Floats = np.abs(np.log(above / below))
        return distance


def resample(
    columns: Mapping[str, Any], entities: pd.Series[Any], resamples: int, rng: np.random.Generator
) -> Resampled:
    """Return the sums of ``columns``, one value a row each, as entities come and stay away."""
    codes = groups(entities, rng)
    count = int(codes.max()) + 1
    sums = np.stack([np.bincount(codes, column, count) for column in columns.values()], axis=1)
    # Multinomial counts are the bootstrap over groups without copying a row.
    draws = rng.multinomial(count, np.full(count, 1 / count), resamples)
    return Resampled(tuple(columns), np.concatenate([sums.sum(axis=0)[None], draws @ sums]))


def groups(entities: pd.Series[Any], rng: np.random.Generator) -> Any:
    """Return the number of each row's group from 0: its entity, or of many entities a part."""
    codes, names = pd.factorize(entities, use_na_sentinel=False)
    if len(names) <= MOST_GROUPS:
        return codes
    return (rng.permutation(len(names)) % MOST_GROUPS)[codes]


def halves(entities: pd.Series[Any], rng: np.random.Generator) -> Any:
    """Return 0 or 1 for each row, the same for all rows of an entity, half of the entities each."""
    codes, names = pd.factorize(entities, use_na_sentinel=False)
    return (rng.permutation(len(names)) % 2)[codes]


def _estimate(found: Floats) -> Estimate:
    return Estimate(float(found[0]), found[1:])
