"""Scaling: a fit's log-odds made right, in passes over rows that are not held at once.

Platt (1999), Probabilistic outputs for support vector machines: log-odds become a z + b. The
slope a comes from rows that the fit has not seen; b makes predicted positives equal to those seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from scipy import special

from driftloop.training.descent import Margins
from driftloop.training.moments import Floats

FEWEST = 50
"""Positives, and negatives, that unseen rows must be worth, or log-odds stay as they are."""
SLOPES = (0.2, 2.0)
"""Least and largest slope: beyond it the unseen rows are of another world."""
STEPS = 12
"""Newton's steps, of at most 1 each."""

Rows = Callable[[], Iterable[Margins]]
"""Gives the same rows at each call."""


def slope(rows: Rows) -> float:
    """Return the slope a that fits ``rows``, which the fit has not seen."""
    if min(_effective(rows, 0.0), _effective(rows, 1.0)) < FEWEST:
        return 1.0
    a, b = 1.0, 0.0
    for _ in range(STEPS):
        gradient, curvature = np.zeros(2), np.eye(2) * 1e-9
        for odds, label, weight in rows():
            expected = special.expit(a * odds + b)
            both = np.stack([odds, np.ones(len(odds))])
            gradient += both @ (weight * (label - expected))
            curvature += (both * (weight * expected * (1 - expected))) @ both.T
        step = np.clip(np.linalg.solve(curvature, gradient), -1, 1)
        a, b = a + step[0], b + step[1]
    return float(np.clip(a, *SLOPES))


def _effective(rows: Rows, label: float) -> float:
    """Return how many rows of one weight those with ``label`` are worth (Kish, 1965)."""
    total = squares = 0.0
    for _, labels, weight in rows():
        own = weight[labels == label]
        total, squares = total + float(own.sum()), squares + float(own @ own)
    return total**2 / squares if squares else 0.0


def offset(rows: Rows) -> float:
    """Return the b with which as many positives are predicted as there are."""
    b = 0.0
    for _ in range(STEPS):
        missing = curvature = 1e-12
        for odds, label, weight in rows():
            expected: Floats = special.expit(odds + b)
            missing += float(weight @ (label - expected))
            curvature += float(weight @ (expected * (1 - expected)))
        b += float(np.clip(missing / curvature, -1, 1))
    return b
