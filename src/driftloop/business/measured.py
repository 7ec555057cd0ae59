"""Measured: a number with its standard error, and bounds at any level.

The bounds are Student's with one degree of freedom less than there are groups that rise and fall
together (entities, days, rounds); so they exist at the small levels that many looks need, where a
thousand resamples have no quantile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from driftloop.evaluation.difference import MOST_GROUPS, Estimate, Interval

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Measured:
    """``value`` with its standard ``error``, found from so many independent ``groups``."""

    value: float
    error: float
    groups: int

    def low(self, alpha: float) -> float:
        """Return the one-sided lower bound: the truth lies below it with chance ``alpha``."""
        return self.value - self._reach(alpha)

    def high(self, alpha: float) -> float:
        """Return the one-sided upper bound."""
        return self.value + self._reach(alpha)

    def interval(self, confidence: float) -> Interval:
        """Return the two-sided interval.

        >>> Measured(1.0, 0.5, 1).interval(0.95)
        Interval(low=-inf, estimate=1.0, high=inf)
        """
        alpha = (1 - confidence) / 2
        return Interval(self.low(alpha), self.value, self.high(alpha))

    def scaled(self, factor: float, shift: float = 0.0) -> Measured:
        """Return ``factor`` times the number, plus ``shift``, which is known without error."""
        return Measured(self.value * factor + shift, self.error * abs(factor), self.groups)

    def to_data(self, confidence: float) -> dict[str, float | int | None]:
        """Return the number between its bounds, JSON-ready."""
        low, value, high = (finite(x) for x in self.interval(confidence))
        told = {"value": value, "low": low, "high": high, "error": finite(self.error)}
        return {**told, "groups": self.groups}

    def _reach(self, alpha: float) -> float:
        if self.groups < 2 or not math.isfinite(self.error):
            return math.inf
        return float(-special.stdtrit(self.groups - 1, alpha)) * self.error


def of_draws(estimate: Estimate, groups: int) -> Measured:
    """Return a resampled estimate as a measured number; draws without a value are left out.

    Resamples of G groups vary too little by (G - 1) / G (Efron and Tibshirani, 1993, ch. 5).
    """
    drawn = estimate.drawn[np.isfinite(estimate.drawn)]
    used = min(groups, MOST_GROUPS)
    if used < 2 or len(drawn) < 2:
        return Measured(estimate.value, math.inf, used)
    return Measured(estimate.value, float(drawn.std()) * math.sqrt(used / (used - 1)), used)


def of_influence(value: float, influence: Floats, groups: Any = None) -> Measured:
    """Return a mean's or ratio's value with the error that its influence function tells.

    ``influence``: one number a row, each row's part of the error, already divided by the
    denominator; ``groups``: which rows rise and fall together, each row by itself if None.
    """
    if groups is not None:
        influence = np.bincount(groups, influence).astype("float64")
    count = len(influence)
    if count < 2:
        return Measured(value, math.inf, count)
    error = math.sqrt(float(np.square(influence).sum()) * count / (count - 1))
    return Measured(value, error, count)


def finite(value: float) -> float | None:
    """Return the number, None where JSON has none.

    >>> finite(float("inf"))
    """
    return value if math.isfinite(value) else None
