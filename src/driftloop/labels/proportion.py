"""Proportion: a share with bounds that hold for few rows and for shares near 0 and 1."""

from __future__ import annotations

import math

from scipy import special

from driftloop.evaluation.difference import Interval

CONFIDENCE = 0.95
"""Of the two-sided intervals of labels: each bound fails in half of the rest."""


def quantile(confidence: float = CONFIDENCE) -> float:
    """Return the normal quantile of a two-sided interval.

    >>> round(quantile(0.95), 2)
    1.96
    """
    return float(special.ndtri((1 + confidence) / 2))


def wilson(successes: float, rows: float, confidence: float = CONFIDENCE) -> Interval:
    """Return successes / rows with its two-sided bounds (Wilson, 1927, JASA 22:209).

    Of no rows nothing is known: NaN between 0 and 1.

    >>> [round(bound, 3) for bound in wilson(0, 20)]
    [0.0, 0.0, 0.161]
    """
    if rows <= 0:
        return Interval(0.0, math.nan, 1.0)
    z, share = quantile(confidence), successes / rows
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    spread = share * (1 - share) / rows + z**2 / (4 * rows**2)
    reach = z * math.sqrt(max(0.0, spread)) / (1 + z**2 / rows)
    low = 0.0 if successes <= 0 else max(0.0, middle - reach)
    high = 1.0 if successes >= rows else min(1.0, middle + reach)
    return Interval(low, share, high)
