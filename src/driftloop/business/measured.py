"""Measured: a number with its standard error, and bounds at any level.

The bounds are Student's with one degree of freedom less than there are groups that rise and fall
together (entities, days, rounds); so they exist at the small levels that many looks need, where a
thousand resamples have no quantile. Money and weights are skewed, and so is what is found from
them: the bounds are turned by Hall's transformation, which takes the skew out of Student's
statistic (Hall, 1992, "On the removal of skewness by transformation").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from driftloop.evaluation.difference import MOST_GROUPS, Estimate, Interval, finite

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Measured:
    """``value`` with its standard ``error`` and ``skew``, from so many independent ``groups``."""

    value: float
    error: float
    groups: int
    skew: float = 0.0

    def low(self, alpha: float) -> float:
        """Return the one-sided lower bound: the truth lies below it with chance ``alpha``."""
        return self.value - self._reach(1 - alpha)

    def high(self, alpha: float) -> float:
        """Return the one-sided upper bound."""
        return self.value - self._reach(alpha)

    def interval(self, confidence: float) -> Interval:
        """Return the two-sided interval.

        >>> Measured(1.0, 0.5, 1).interval(0.95)
        Interval(low=-inf, estimate=1.0, high=inf)
        """
        alpha = (1 - confidence) / 2
        return Interval(self.low(alpha), self.value, self.high(alpha))

    def scaled(self, factor: float, shift: float = 0.0) -> Measured:
        """Return ``factor`` times the number, plus ``shift``, which is known without error."""
        value, skew = self.value * factor + shift, math.copysign(self.skew, self.skew * factor)
        return Measured(value, self.error * abs(factor), self.groups, skew)

    def to_data(self, confidence: float) -> dict[str, float | int | None]:
        """Return the number between its bounds, JSON-ready."""
        low, value, high = self.interval(confidence).listed()
        told = {"value": value, "low": low, "high": high, "error": finite(self.error)}
        return {**told, "groups": self.groups}

    def _reach(self, level: float) -> float:
        """Return how far the bound lies below the value, at this level of Student's statistic."""
        if self.groups < 2 or not math.isfinite(self.error):
            return math.copysign(math.inf, level - 0.5)
        return self.error * _turned(float(special.stdtrit(self.groups - 1, level)), self.skew)


def _turned(student: float, skew: float) -> float:
    """Return the inverse of Hall's t + s t^2 / 3 + s^2 t^3 / 27 + s / 6."""
    if abs(skew) < 1e-6:
        return student
    return 3 / skew * (float(np.cbrt(1 + skew * (student - skew / 6))) - 1)


def of_draws(estimate: Estimate, groups: int) -> Measured:
    """Return a resampled estimate as a measured number; draws without a value are left out.

    Resamples of G groups vary too little by (G - 1) / G (Efron and Tibshirani, 1993, ch. 5).
    """
    drawn = estimate.drawn[np.isfinite(estimate.drawn)]
    used = min(groups, MOST_GROUPS)
    if used < 2 or len(drawn) < 2:
        return Measured(estimate.value, math.inf, used)
    error, away = float(drawn.std()), drawn - drawn.mean()
    skew = float((away**3).mean()) / error**3 if error else 0.0
    return Measured(estimate.value, error * math.sqrt(used / (used - 1)), used, skew)


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
    squares = float(np.square(influence).sum())
    skew = float((influence**3).sum()) / squares**1.5 if squares else 0.0
    return Measured(value, math.sqrt(squares * count / (count - 1)), count, skew)
