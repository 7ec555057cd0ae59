"""Curve: how often a prediction comes true in one part of the rows.

    seen = up + (1 - up - down) sigmoid(intercept + slope logit p)

Without ``up`` and ``down`` it is Platt's (1999) calibration. With them it is what a part looks
like in which labels are wrong: of true negatives the share ``up`` is labelled positive, of true
positives the share ``down`` negative (Angluin and Laird, 1988), so that even the surest
predictions come true no more often than labels are right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from driftloop.evaluation.difference import Floats
from driftloop.evaluation.loss import CLIP

BINS = 100
"""Of predictions, equally filled, that a curve is fitted on."""
MOST_WRONG = 0.45
"""Of either label: beyond it nobody could say which is which."""
NONE = (0.0, 0.0)
ANY = (MOST_WRONG, MOST_WRONG)
PRIOR = 4.0
"""How strongly intercept and slope are drawn to 0 and 1, as a variance of 1 / so much."""


@dataclass(frozen=True)
class Curve:
    """The fitted parameters."""

    intercept: float
    slope: float
    up: float = 0.0
    down: float = 0.0

    def clean(self, probability: Floats) -> Floats:
        """Return the probability of a truly positive one."""
        found: Floats = special.expit(self.intercept + self.slope * logit(probability))
        return found

    def seen(self, probability: Floats) -> Floats:
        """Return the probability of a label that says positive."""
        found: Floats = self.up + (1 - self.up - self.down) * self.clean(probability)
        return found

    def wrong(self, probability: Floats) -> Floats:
        """Return the probability of a wrong label."""
        truly = self.clean(probability)
        found: Floats = self.up * (1 - truly) + self.down * truly
        return found


def logit(probability: Floats) -> Floats:
    """Return the log-odds, finite."""
    clipped = np.clip(probability, CLIP, 1 - CLIP)
    found: Floats = np.log(clipped) - np.log1p(-clipped)
    return found


def fit(
    probability: Floats,
    positives: Floats,
    weight: Floats,
    most: tuple[float, float] = NONE,
) -> Curve:
    """Return the likeliest curve whose ``up`` and ``down`` are at most ``most``, or the identity.

    By default there are none: it is a calibration. Without rows it is the identity.
    """
    if not len(probability):
        return Curve(0.0, 1.0)
    x, k, n = _binned(logit(probability), positives, weight)

    def lost(parameters: Floats) -> float:
        intercept, slope, up, down = parameters
        p = np.clip(up + (1 - up - down) * special.expit(intercept + slope * x), CLIP, 1 - CLIP)
        nats = -(k @ np.log(p) + (n - k) @ np.log1p(-p))
        return float(nats + PRIOR / 2 * (intercept**2 + (slope - 1) ** 2))

    wide, ends = (-8.0, 8.0), [min(one, MOST_WRONG) for one in most]
    bounds = [wide, wide, (0.0, ends[0]), (0.0, ends[1])]
    starts = [[0.0, 1.0, e * ends[0], e * ends[1]] for e in ((0.05, 0.5) if any(most) else (0.0,))]
    tries = [optimize.minimize(lost, start, method="L-BFGS-B", bounds=bounds) for start in starts]
    return Curve(*(float(one) for one in min(tries, key=lambda one: float(one.fun)).x))


def _binned(x: Floats, positives: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the mean log-odds, positives and weight of each bin."""
    cuts = np.unique(np.quantile(x, np.arange(1, BINS) / BINS))
    codes = np.searchsorted(cuts, x)
    parts = (x * weight, positives, weight)
    sums = [np.bincount(codes, one, len(cuts) + 1).astype("float64") for one in parts]
    held = sums[2] > 0
    return sums[0][held] / sums[2][held], sums[1][held], sums[2][held]
