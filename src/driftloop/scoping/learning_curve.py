"""Learning curve: the loss of a model by the rows it is fitted on, and beyond them.

    loss(n) = a + b n^-c        a, b >= 0

a: what no amount of such rows takes away; c: how fast the rest goes (Hestness et al., 2017). For a
given c it is linear in a and b, so weighted least squares are exact over a grid of c (variable
projection: Golub and Pereyra, 1973). Intervals: the means of the runs are drawn again with their
errors, and the curve is fitted to each draw.

A curve says nothing of a world that changes, and far beyond the largest size little: ``identified``
tells whether the runs fix its form at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from driftloop.evaluation.difference import Interval
from driftloop.scoping import replicates
from driftloop.scoping.replicates import Floats, Replicates

CONFIDENCE = 0.95
"""Of two-sided intervals."""
RESAMPLES = 1000
EXPONENTS = np.geomspace(0.05, 2.0, 64)
"""Those seen in practice lie from 0.07 to 1; at the ends of the grid c is not known."""
FEWEST_SIZES = 4
"""Sizes below which three numbers cannot be told from noise."""


@dataclass(frozen=True)
class LearningCurve:
    """The fitted curve, and how sure it is.

    ``parameters``: a, b, c of the fit, then of each draw, [1 + resamples, 3], where b is of sizes
    in units of the largest; ``identified``: whether the runs fix all three; ``reason``: why.
    """

    runs: Replicates
    parameters: Floats
    identified: bool
    reason: str

    def losses(self, rows: float) -> Floats:
        """Return the loss at ``rows`` by the fit and by each draw."""
        a, b, c = self.parameters.T
        found: Floats = a + b * (max(rows, 1.0) / self.runs.size[-1]) ** -c
        return np.maximum(found, 0.0)

    def at(self, rows: float) -> Interval:
        """Return the expected loss of a model fitted on ``rows``."""
        return _interval(self.losses(rows))

    @property
    def floor(self) -> Interval:
        """Return what remains however many rows there are."""
        return _interval(np.maximum(self.parameters[:, 0], 0.0))

    @property
    def exponent(self) -> Interval:
        """Return c."""
        return _interval(self.parameters[:, 2])

    def chance(self, target: float, rows: float) -> float:
        """Return the probability that the loss at ``rows`` is at most ``target``."""
        return float((self.losses(rows)[1:] <= target).mean())

    def needed(self, target: float) -> Interval:
        """Return the rows from which the loss is at most ``target``; inf where it never is."""
        a, b, c = self.parameters.T
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            times = (np.maximum(b, 0.0) / (target - a)) ** (1 / c)
        rows = np.where(a < target, times * self.runs.size[-1], np.inf)
        return _interval(np.maximum(rows, 1.0), method="nearest")

    def to_data(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {
            "floor": list(self.floor),
            "exponent": list(self.exponent),
            "identified": self.identified,
            "reason": self.reason,
            "sizes": self.runs.size.tolist(),
            "losses": self.runs.mean.tolist(),
        }


def fit(
    size: ArrayLike,
    loss: ArrayLike,
    rng: np.random.Generator | None = None,
    *,
    share: ArrayLike = 0.0,
    shared_error: float = 0.0,
    resamples: int = RESAMPLES,
) -> LearningCurve:
    """Return the curve through runs on ``size`` rows whose loss was ``loss``, one value a run.

    ``share``: of all rows that a run saw (replicates.of); ``shared_error``: standard error that
    all runs have in common, as they are judged by the same rows. Three sizes or more.

    >>> n = np.repeat([100, 200, 400, 800, 1600], 2)
    >>> curve = fit(n, 0.2 + 3 * n**-0.5 + np.tile([0.0005, -0.0005], 5))
    >>> curve.identified, round(curve.at(16_000).estimate, 2)
    (True, 0.22)
    """
    rng = rng or np.random.default_rng(0)
    runs = replicates.of(size, loss, share)
    if not runs.freedom:
        runs = _with_residual_error(runs)
    fitted = _fitted(runs.mean[None], runs)
    runs = runs.widened(_curve(fitted, runs))
    drawn = _fitted(runs.drawn(resamples, rng), runs, is_bounded=False)
    parameters = np.concatenate([fitted, drawn])
    parameters[1:, 0] += shared_error * rng.normal(size=resamples)
    return LearningCurve(runs, parameters, *_identified(runs, parameters))


def _with_residual_error(runs: Replicates) -> Replicates:
    """Return the runs with the error that the distances from their curve tell, one run a size."""
    left = runs.mean - _curve(_fitted(runs.mean[None], runs), runs)
    freedom = max(1, len(runs.size) - 3)
    spread = max(np.sqrt((left**2).sum() / freedom), runs.error[0])
    return Replicates(runs.size, runs.mean, np.full(len(runs.size), spread), freedom)


def _curve(parameters: Floats, runs: Replicates) -> Floats:
    a, b, c = parameters[0]
    found: Floats = a + b * (runs.size / runs.size[-1]) ** -c
    return found


def _fitted(losses: Floats, runs: Replicates, is_bounded: bool = True) -> Floats:
    """Return a, b, c of every row of ``losses``, [rows, sizes], by weighted least squares.

    Draws go beyond the bounds, else their intervals would be too short where a or b is near 0.
    """
    x = (runs.size / runs.size[-1])[None] ** -EXPONENTS[:, None]
    w = 1 / runs.error**2
    s0, s1, s2 = w.sum(), x @ w, x**2 @ w
    t0, t1 = (losses @ w)[:, None], losses @ (w * x).T
    scale = s0 * s2 - s1**2
    a, b = (s2 * t0 - s1 * t1) / scale, (s0 * t1 - s1 * t0) / scale
    if is_bounded:
        a, b = np.where(b < 0, t0 / s0, a), np.maximum(b, 0.0)
        a, b = np.maximum(a, 0.0), np.where(a < 0, np.maximum(t1 / s2, 0.0), b)
    # Less what is the same for every c.
    lost = -2 * a * t0 - 2 * b * t1 + a**2 * s0 + 2 * a * b * s1 + b**2 * s2
    best = lost.argmin(axis=1)
    row = np.arange(len(losses))
    return np.stack([a[row, best], b[row, best], EXPONENTS[best]], axis=1)


def _identified(runs: Replicates, parameters: Floats) -> tuple[bool, str]:
    count = len(runs.size)
    if count < FEWEST_SIZES:
        return False, f"{count} sizes do not fix three numbers; it takes {FEWEST_SIZES}."
    falls = float((parameters[1:, 1] > 0).mean())
    if falls < (1 + CONFIDENCE) / 2:
        return False, f"The loss does not surely fall with more rows ({falls:.0%} of the draws)."
    low, middle, high = _interval(parameters[:, 2])
    if low <= EXPONENTS[0] * 1.01 or high >= EXPONENTS[-1] * 0.99:
        says = f"The exponent lies anywhere from {low:.2f} to {high:.2f}"
        return False, f"{says}: the runs do not fix the curve's form."
    return True, f"The exponent is {middle:.2f} ({low:.2f} to {high:.2f})."


def _interval(values: Any, method: Any = "linear") -> Interval:
    levels = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(values[1:], levels, method=method)
    middle = float(values[0])
    return Interval(min(float(low), middle), middle, max(float(high), middle))
