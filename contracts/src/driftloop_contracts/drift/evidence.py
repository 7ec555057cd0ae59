"""Evidence: what a tally says against "this window is like its reference".

Every test gives a statistic, a p-value and an effect, and none of them sees a missing value
but the test on missing values. Rows count as effective rows: n / d for the window, m / d for
the reference (effective.py), and n_e = n m / (n + m) for the difference of the two.

The effect is Cohen's h (Cohen, 1988, ch. 6), the difference of two shares p and q after the
transformation that gives every share the same spread,

    h = | 2 asin sqrt(p) - 2 asin sqrt(q) |

and of several shares the largest: over the cuts of a numeric feature (shares below each), over
the categories of a categorical one. A mean that moves by 0.2 standard deviations shows 0.16, a
variance of 1.3 times 0.10, a share that goes from 1 to 3 % 0.15, from 2 to 3 % 0.06.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from driftloop_contracts.drift import effective
from driftloop_contracts.drift.tally import Tally

Floats = np.ndarray[Any, np.dtype[np.float64]]

FEWEST = 5.0
"""Effective rows that a share's cell is expected to hold, on either side, to be tested."""


@dataclass(frozen=True)
class Evidence:
    """One test's result: ``statistic`` in the test's own unit, ``effect`` as Cohen's h."""

    statistic: float
    p_value: float
    effect: float


NONE = Evidence(0.0, 1.0, 0.0)
"""What nothing shows: no rows, or nothing to compare with."""


def cohens_h(first: Any, second: Any) -> Any:
    """Return Cohen's h of two shares or arrays of shares, in [0, pi].

    >>> round(float(cohens_h(0.03, 0.02)), 3)
    0.064
    """
    # A sum of shares may exceed 1 by rounding.
    angles = [np.arcsin(np.sqrt(np.clip(share, 0, 1))) for share in (first, second)]
    return 2 * np.abs(angles[0] - angles[1])


def of_numbers(tally: Tally, design_effect: float) -> Evidence:
    """Compare a numeric feature's values: Kolmogorov-Smirnov and Berk-Jones, the smaller p doubled.

    Statistic: the Kolmogorov-Smirnov distance over the cuts. Kolmogorov-Smirnov sees the middle
    of a distribution, Berk-Jones (1979: the largest likelihood ratio over the cuts) its tails.
    Doubling the smaller of two p-values is Bonferroni's correction.
    """
    window, usual, n, m = _shares(tally, design_effect)
    if n <= 0 or m <= 0 or len(window) < 2:
        return NONE
    # A sum of shares may exceed 1 by rounding, and nothing is as unlikely as a share below 0.
    below, expected = (np.minimum(np.cumsum(one)[:-1], 1.0) for one in (window, usual))
    distance = float(np.abs(below - expected).max())
    smirnov = float(special.kolmogorov(math.sqrt(n * m / (n + m)) * distance))
    p = min(smirnov, _berk_jones(below, expected, n, m))
    return Evidence(distance, min(1.0, 2 * p), float(cohens_h(below, expected).max()))


def of_categories(tally: Tally, design_effect: float) -> Evidence:
    """Compare a categorical feature's known categories: chi-square and Berk-Jones, as above.

    Statistic: chi-square after Rao and Scott (1981), that is on effective rows; categories too
    rare for it share one place.
    """
    window, usual, n, m = _shares(tally, design_effect, known=True)
    if n <= 0 or m <= 0 or len(window) < 2:
        return NONE
    statistic, freedom = _chi_square(window, usual, n, m)
    pearson = float(special.chdtrc(freedom, statistic)) if freedom else 1.0
    p = min(pearson, _berk_jones(window, usual, n, m))
    return Evidence(statistic, min(1.0, 2 * p), float(cohens_h(window, usual).max()))


def of_missing(tally: Tally, design_effect: float) -> Evidence:
    """Compare the share of missing values: Fisher's exact test; fewer are no harm."""
    n = effective.rows(tally.weight, tally.square) / design_effect
    share = tally.missing / tally.weight if tally.weight > 0 else 0.0
    m = tally.reference / design_effect
    return of_excess(share, n, tally.expected_missing, m)


def of_unseen(tally: Tally, design_effect: float) -> Evidence:
    """Compare the share of categories the reference lacks with the usual: Fisher's exact test."""
    total = sum(tally.counts)
    share = tally.counts[-1] / total if total > 0 else 0.0
    n = effective.rows(tally.weight, tally.square) / design_effect
    return of_excess(share, n, tally.expected[-1], tally.reference / design_effect)


def of_excess(share: float, n: float, usual: float, m: float) -> Evidence:
    """Say whether a rate exceeds the usual one, on n and m effective rows: Fisher's exact test.

    Statistic: the difference.
    """
    if n < 1 or m < 1:
        return NONE
    hits, known = round(share * n), round(usual * m)
    table = [[hits, round(n) - hits], [known, round(m) - known]]
    p = float(stats.fisher_exact(table, alternative="greater")[1])
    effect = float(cohens_h(share, usual)) if share > usual else 0.0
    return Evidence(share - usual, min(1.0, p), effect)


def combined(scores: Sequence[float], weights: Sequence[float]) -> float:
    """Return the p-value of several one-sided z scores (Stouffer, 1949, weighted by ``weights``).

    >>> round(combined([2.0, 2.0], [1.0, 1.0]), 4)
    0.0023
    """
    z = float(np.dot(scores, weights) / np.linalg.norm(weights))
    return float(special.ndtr(-z))


def _shares(
    tally: Tally, design_effect: float, *, known: bool = False
) -> tuple[Floats, Floats, float, float]:
    """Return shares of window and reference with their effective rows; ``known``: no last cell."""
    end = -1 if known else None
    counts, usual = np.array(tally.counts[:end]), np.array(tally.expected[:end])
    total, whole = counts.sum(), usual.sum()
    if total <= 0 or whole <= 0:
        return counts, usual, 0.0, 0.0
    n = effective.rows(tally.weight, tally.square) * total / tally.weight / design_effect
    m = tally.reference * (1 - tally.expected_missing) / design_effect
    return counts / total, usual / whole, float(n), float(m)


def _berk_jones(window: Floats, usual: Floats, n: float, m: float) -> float:
    """Return the p-value of the largest likelihood ratio over shares, by Bonferroni."""
    ratio, tested = likelihood_ratio(window, usual, n, m)
    if not tested.any():
        return 1.0
    largest = float(ratio[tested].max())
    return min(1.0, int(tested.sum()) * 2 * float(special.ndtr(-math.sqrt(2 * largest))))


def likelihood_ratio(window: Floats, usual: Floats, n: Any, m: Any) -> tuple[Floats, Any]:
    """Return each share's log likelihood ratio, and which have enough rows to be tested.

    ``n``, ``m``: effective rows behind ``window`` and ``usual``, one number or one a share.
    """
    pooled = (n * window + m * usual) / np.maximum(n + m, 1e-300)
    tested = np.minimum(pooled, 1 - pooled) * np.minimum(n, m) >= FEWEST
    return n * _divergence(window, pooled) + m * _divergence(usual, pooled), tested


def _divergence(share: Floats, pooled: Floats) -> Floats:
    """Return the Kullback-Leibler divergence of two Bernoulli variables, in nats.

    >>> float(_divergence(np.array([0.5]), np.array([0.25]))[0].round(4))
    0.1438
    """
    # Sums of shares may leave [0, 1] by rounding, and equal ones may differ by less than nothing.
    p, q = np.clip(share, 0, 1), np.clip(pooled, 0, 1)
    found: Floats = np.maximum(special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q), 0)
    return found


def _chi_square(window: Floats, usual: Floats, n: float, m: float) -> tuple[float, int]:
    """Return Pearson's statistic of homogeneity and its degrees of freedom."""
    pooled = (n * window + m * usual) / (n + m)
    rare = pooled * min(n, m) < FEWEST
    if rare.any():
        window, usual, pooled = (
            np.append(one[~rare], one[rare].sum()) for one in (window, usual, pooled)
        )
    held = pooled * min(n, m) >= FEWEST if rare.any() else pooled > 0
    differences = (window - usual)[held] ** 2 / pooled[held]
    return float(n * m / (n + m) * differences.sum()), max(0, int(held.sum()) - 1)
