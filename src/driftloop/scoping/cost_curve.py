"""Cost curve: what a fit takes, time or memory, by the rows it is fitted on, and beyond them.

    t(n) = t0 + k n^p

t0: what even few rows take (imports, threads). It is fitted on logarithms, since runs differ by
factors: for a given p and share of t0 only the logarithm of k is free, so least squares are exact
over a grid of both. Intervals: the mean logarithms are drawn again with their errors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from driftloop.evaluation.difference import Interval
from driftloop.scoping import replicates
from driftloop.scoping.replicates import Floats, Replicates
from driftloop_contracts.errors import InvalidInput

CONFIDENCE = 0.95
"""Of two-sided intervals."""
RESAMPLES = 1000
POWERS = np.linspace(0.3, 2.5, 45)
"""From less than linear to nearly cubic; no estimator in use takes more."""
FIXED = np.concatenate([np.linspace(0, 0.9, 19), 1 - np.geomspace(0.08, 0.001, 12)])
"""Shares of t0 in what the smallest size takes."""
BELOW = np.linspace(-0.5, -0.05, 10)
"""Shares that draws may take as well, else their intervals would be too short where t0 is 0."""
LEAST_ERROR = 0.01
"""Standard error of a logarithm below which no measurement of a machine is believed."""


@dataclass(frozen=True)
class CostCurve:
    """The fitted curve: logarithm of the cost at the smallest size, power and share of t0.

    ``parameters``: of the fit, then of each draw, [1 + resamples, 3]; ``runs``: of logarithms.
    """

    runs: Replicates
    parameters: Floats

    def amounts(self, rows: float) -> Floats:
        """Return what a fit on ``rows`` takes by the fit and by each draw."""
        log_first, power, fixed = self.parameters.T
        grown = (max(rows, 1.0) / self.runs.size[0]) ** power
        found: Floats = np.exp(log_first) * np.maximum(fixed + (1 - fixed) * grown, 1e-9)
        return found

    def at(self, rows: float) -> Interval:
        """Return what a fit on ``rows`` takes."""
        return _interval(self.amounts(rows))

    @property
    def power(self) -> Interval:
        """Return p."""
        return _interval(self.parameters[:, 1])

    def chance(self, limit: float, rows: float) -> float:
        """Return the probability that a fit on ``rows`` takes at most ``limit``."""
        return float((self.amounts(rows)[1:] <= limit).mean())

    def affordable(self, limit: float) -> float:
        """Return the most rows that a fit within ``limit`` may have by the fitted curve."""
        log_first, power, fixed = self.parameters[0]
        left = limit / np.exp(log_first) - fixed
        if left <= 0:
            return 0.0
        return float(self.runs.size[0] * (left / (1 - fixed)) ** (1 / power))

    def to_data(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {
            "power": list(self.power),
            "sizes": self.runs.size.tolist(),
            "amounts": np.exp(self.runs.mean).tolist(),
        }


def fit(
    size: ArrayLike,
    amount: ArrayLike,
    rng: np.random.Generator | None = None,
    resamples: int = RESAMPLES,
) -> CostCurve:
    """Return the curve through runs on ``size`` rows that took ``amount``, one value a run.

    Three sizes or more; amounts above 0 in any unit.

    >>> n = np.array([100, 200, 400, 800])
    >>> round(fit(n, 1 + 0.01 * n).at(3200).estimate)
    33
    """
    values = np.asarray(amount, "float64")
    if not (values > 0).all():
        raise InvalidInput("amounts", "the sample runs", "above 0", float(values.min()))
    runs = replicates.of(size, np.log(values))
    # A spread of logarithms is relative already: what is told of the mean does not bear on it.
    runs = replace(runs, error=np.maximum(_error(runs), LEAST_ERROR), freedom=max(1, runs.freedom))
    fitted = _fitted(runs.mean[None], runs)
    runs = runs.widened(_curve(fitted, runs))
    drawn = runs.drawn(resamples, rng or np.random.default_rng(0))
    redrawn = _fitted(drawn, runs, np.append(BELOW, FIXED))
    return CostCurve(runs, np.concatenate([fitted, redrawn]))


def _error(runs: Replicates) -> Floats:
    if runs.freedom:
        return runs.error
    told = _curve(_fitted(runs.mean[None], runs), runs)
    left = ((runs.mean - told) ** 2).sum() / max(1, len(runs.size) - 3)
    return np.full(len(runs.size), np.sqrt(left))


def _curve(parameters: Floats, runs: Replicates) -> Floats:
    first, power, fixed = parameters[0]
    found: Floats = first + np.log(fixed + (1 - fixed) * (runs.size / runs.size[0]) ** power)
    return found


def _fitted(logs: Floats, runs: Replicates, shares: Floats = FIXED) -> Floats:
    """Return the parameters of every row of ``logs``, [rows, sizes]; ``shares``: of t0, to try."""
    power, fixed = (values.ravel() for values in np.meshgrid(POWERS, shares, indexing="ij"))
    grown = (runs.size / runs.size[0])[None] ** power[:, None]
    shape = np.log(fixed[:, None] + (1 - fixed[:, None]) * grown)
    w = 1 / np.maximum(runs.error, LEAST_ERROR) ** 2
    w = w / w.sum()
    usual = shape @ w
    centred = shape - usual[:, None]
    mean = logs @ w
    # Less what is the same for every form.
    lost = (centred**2) @ w - 2 * (logs - mean[:, None]) @ (centred * w).T
    best = lost.argmin(axis=1)
    return np.stack([mean - usual[best], power[best], fixed[best]], axis=1)


def _interval(values: Any) -> Interval:
    low, high = np.quantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    middle = float(values[0])
    return Interval(min(float(low), middle), middle, max(float(high), middle))
