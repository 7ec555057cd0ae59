"""Replicates: what runs of several sizes gave, as a mean and its error at each size.

Few runs of one size say little of their spread. The spreads of all sizes together follow a power
of the size, s^2(n) = s^2 n^q, fitted on logarithms (whose expectation under chi-square errors is
corrected for); redraws are t rather than normal, since the spread itself is an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from driftloop_contracts.errors import InvalidInput

Floats = NDArray[np.float64]

LEAST_SPREAD = 1e-4
"""Relative spread below which runs are not believed to agree."""
USUAL_POWER, USUAL_POWER_ERROR = 0.0, 0.5
"""Of the variance by the size, where few runs say little: constant, lest large runs seem surer."""


@dataclass(frozen=True)
class Replicates:
    """Ascending ``size``, the ``mean`` of the runs of each, its standard ``error``.

    ``freedom``: degrees of freedom of the spread; 0 where no size was run twice.
    """

    size: Floats
    mean: Floats
    error: Floats
    freedom: int

    def widened(self, fitted: Floats, parameters: int = 3) -> Replicates:
        """Return the replicates with larger errors where a curve misses the means by more.

        By the square root of chi-square over its degrees of freedom (Birge, 1932), if above 1:
        then the form is not quite right, or the runs of a size had something in common.
        """
        freedom = max(1, len(self.size) - parameters)
        chi_square = float((((self.mean - fitted) / self.error) ** 2).sum())
        return replace(self, error=self.error * max(1.0, chi_square / freedom) ** 0.5)

    def drawn(self, resamples: int, rng: np.random.Generator) -> Floats:
        """Return the means with redrawn errors, [resamples, sizes]."""
        noise = rng.normal(size=(resamples, len(self.size)))
        freedom = max(1, self.freedom)
        scale = np.sqrt(freedom / np.maximum(rng.chisquare(freedom, resamples), 1e-12))
        # With few degrees t has tails that no curve survives.
        redrawn: Floats = self.mean + noise * self.error * np.minimum(scale, 10.0)[:, None]
        return redrawn


def of(size: ArrayLike, value: ArrayLike, share: ArrayLike = 0.0) -> Replicates:
    """Return the replicates of runs of ``size`` rows that gave ``value``.

    ``share``: how much of all rows there are a run saw; runs that share most of their rows agree
    more than runs on fresh rows would, so their variance is divided by 1 - share. Raise
    InvalidInput for lengths that differ, numbers that are none and fewer than three sizes.
    """
    n, y = np.atleast_1d(np.asarray(size, "float64")), np.atleast_1d(np.asarray(value, "float64"))
    where = "the sample runs"
    if n.shape != y.shape or n.ndim != 1:
        raise InvalidInput("sizes and values", where, "as many of each", f"{n.size} and {y.size}")
    if not (np.isfinite(y).all() and np.isfinite(n).all() and (n >= 1).all()):
        raise InvalidInput("sizes and values", where, "numbers, sizes from 1 on", "others")
    seen = np.minimum(np.broadcast_to(np.asarray(share, "float64"), n.shape), 0.95)
    sizes, place, count = np.unique(n, return_inverse=True, return_counts=True)
    if len(sizes) < 3:
        raise InvalidInput("sizes", where, "three different ones or more", len(sizes))
    mean = np.bincount(place, y) / count
    square: Any = np.bincount(place, (y - mean[place]) ** 2 / (1 - seen))
    return Replicates(sizes, mean, *_error(sizes, mean, square, count))


def _error(sizes: Floats, mean: Floats, square: Floats, count: Any) -> tuple[Floats, int]:
    """Return the standard error of each mean, and its degrees of freedom."""
    freedom = count - 1
    least = (LEAST_SPREAD * np.abs(mean).max()) ** 2
    if not freedom.sum():
        return np.full(len(sizes), np.sqrt(least)), 0
    twice = freedom > 0
    variance = np.maximum(square[twice] / freedom[twice], least)
    half = freedom[twice] / 2
    logs = np.log(variance) - (special.digamma(half) - np.log(half))
    x, weight = np.log(sizes), half
    centre = np.average(x[twice], weights=weight)
    away = x[twice] - centre
    # Few runs say little of the power, so it stays near the usual one unless they say much.
    known, usual = (weight * away**2).sum(), 1 / USUAL_POWER_ERROR**2
    power = ((weight * away * logs).sum() + usual * USUAL_POWER) / (known + usual)
    level = np.average(logs, weights=weight)
    fitted = np.maximum(np.exp(level + power * (x - centre)), least)
    return np.sqrt(fitted / count), int(freedom.sum())
