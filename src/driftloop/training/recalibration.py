"""Recalibration: what probabilities of unseen rows must be mapped to, by Platt or isotonic.

Isotonic regression follows any curve but needs rows; Platt's has two numbers. Niculescu-Mizil and
Caruana (2005) found isotonic better from about 1,000 rows on; of rare positives it is they that
count. An isotonic step is the rate of a cell with positives enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from driftloop.training.imbalance import Floats

FEWEST = 20
"""Positive rows below which nothing is learnt: their number itself is off by a quarter."""
MANY = 1000
"""Rows of the rarer class from which on isotonic is chosen."""


@dataclass(frozen=True, eq=False)
class Recalibration:
    """What is done to log-odds; ``at`` and ``level``: of an isotonic one (corrected.py)."""

    slope: float = 1.0
    intercept: float = 0.0
    at: Floats | None = None
    level: Floats | None = None


def method(rarer: int) -> Literal["none", "platt", "isotonic"]:
    """Return the method for so many rows of the rarer class.

    >>> method(5), method(200), method(5000)
    ('none', 'platt', 'isotonic')
    """
    if rarer < FEWEST:
        return "none"
    return "platt" if rarer < MANY else "isotonic"


def learn(odds: Floats, labels: Floats, weights: Floats, how: str) -> Recalibration:
    """Return the recalibration that these rows ask for; ``how``: none, platt or isotonic."""
    if how == "platt":
        return _platt(odds, labels, weights)
    return _isotonic(odds, labels, weights) if how == "isotonic" else Recalibration()


def _platt(odds: Floats, labels: Floats, weights: Floats) -> Recalibration:
    centre, spread = float(np.average(odds, weights=weights)), max(float(odds.std()), 1e-9)
    scaled = (odds - centre) / spread
    line = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    line.fit(scaled[:, None], labels, sample_weight=weights / weights.mean())
    slope = float(line.coef_[0, 0]) / spread
    return Recalibration(slope, float(line.intercept_[0]) - slope * centre)


def _isotonic(odds: Floats, labels: Floats, weights: Floats) -> Recalibration:
    cells = _cells(odds, labels)
    total = np.bincount(cells, weights)
    rate = np.bincount(cells, weights * labels) / total
    at = np.bincount(cells, weights * odds) / total
    steps = IsotonicRegression(y_min=0, y_max=1).fit(at, rate, sample_weight=total)
    # A cell of negatives alone: half a positive more is thought of.
    doubt = 0.5 / (float(weights.sum()) + 1.0)
    level = np.clip(steps.predict(at), doubt, 1 - doubt)
    return Recalibration(at=at, level=np.asarray(special.logit(level), "float64"))


def _cells(odds: Floats, labels: Floats) -> NDArray[np.int64]:
    """Return each row's cell of ascending odds; ``FEWEST`` positives lie in each but the last.

    A step of one positive above all sampled negatives would be taken for certainty.
    """
    edges = np.unique(np.sort(odds[labels == 1])[FEWEST - 1 : -FEWEST : FEWEST])
    found = np.searchsorted(edges, odds, side="left")
    return np.unique(found, return_inverse=True)[1].astype("int64")
