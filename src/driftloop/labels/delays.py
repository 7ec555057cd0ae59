"""Delays: what share of outcomes has come after how long, where slow ones are not yet seen.

An outcome of a record of age A is seen only if its delay D <= A: the data are right-truncated,
and the delays seen are too short. In reverse time that is left truncation, for which the product
limit is known. With d_j the delays, m_j arrivals after d_j, and the ceiling M (later outcomes
are not looked at),

    r_j  = #{i: D_i <= d_j <= A_i}                    those that could have come after d_j or less
    F(d) = prod over d_j > d of (1 - m_j / r_j)       = P(D <= d | D <= M)

The bounds are not from Greenwood's variance, which is 0 where nothing was seen, so that ten
outcomes would prove any completeness. Each factor is a beta variable instead, and the product's
two moments give the beta whose quantiles are taken. With g_j the outcomes at risk just below the
next greater delay (at M for the last), the least number since it,

    low(d)   of   Beta(g, 1) * prod over d_j > d of Beta(g_j, 1) * Beta(r_j - m_j + 1, m_j - 1)
    high(d)  of                prod over d_j > d of Beta(r_j - m_j + 1, m_j)

where Beta(g, 1) is for an arrival just missed. The more records are young, the more g_j < r_j:
what few old ones did not show may still be there. Without truncation both are the exact bounds
of Clopper and Pearson.

Sources: Lynden-Bell (1971), MNRAS 155:95; Lagakos, Barraj and De Gruttola (1988), Biometrika
75:515; Kalbfleisch and Lawless (1989), JASA 84:360; for the bounds, on right-censored data, Fay,
Brittain and Proschan (2013), Biostatistics 14:723.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from driftloop.instants import Micros

Floats = NDArray[np.float64]
Claims = NDArray[np.bool_]


@dataclass(frozen=True)
class DelayCurve:
    """The estimate of F at each ``delay`` seen, ascending, in microseconds.

    ``arrived``: m_j; ``at_risk``: r_j; ``waited``: outcomes of records as old as the ceiling,
    the only ones that tell of delays up to it.
    """

    delay: Micros
    arrived: Micros
    at_risk: Micros
    waited: int

    @property
    def share(self) -> Floats:
        """Return F at each delay; 1 at the last."""
        with np.errstate(divide="ignore"):  # Nobody left at risk: F is 0 before.
            return np.exp(_beyond(np.log1p(-self.arrived / self.at_risk)))

    def surely(self, share: float, confidence: float) -> Claims:
        """Return whether the one-sided lower bound of F is at least ``share``, at each delay."""
        left = self.at_risk - self.arrived
        missed = _log_moments(np.append(left[1:], self.waited), np.ones(len(left)))
        factors = missed + _log_moments(left + 1, self.arrived - 1)
        return _chance(_beyond(factors) + missed, share) <= 1 - confidence

    def possibly(self, share: float, confidence: float) -> Claims:
        """Return whether the one-sided upper bound of F is at least ``share``, at each delay."""
        factors = _log_moments(self.at_risk - self.arrived + 1, self.arrived)
        # At the last delay nothing was seen beyond: F may be 1, and there is no chance of less.
        return ~(_chance(_beyond(factors), share) > confidence)


def curve(delay: Micros, age: Micros, ceiling: int) -> DelayCurve:
    """Return the curve of outcomes seen ``delay`` <= ``age`` after their record, in microseconds.

    >>> hours = curve(np.array([1, 1, 2, 4]), np.array([9, 1, 2, 9]), ceiling=8)
    >>> hours.share.round(3).tolist()
    [0.25, 0.5, 1.0]
    """
    inside = delay <= ceiling
    slowest, oldest = np.sort(delay[inside]), np.sort(age[inside])
    found, arrived = np.unique(slowest, return_counts=True)
    come = np.searchsorted(slowest, found, side="right")
    too_young = np.searchsorted(oldest, found, side="left")
    waited = len(oldest) - int(np.searchsorted(oldest, ceiling, side="left"))
    return DelayCurve(found, arrived, come - too_young, waited)


def _beyond(logs: Floats) -> Floats:
    """Return the sum of the ``logs`` after each place, along the last axis."""
    later = np.zeros_like(logs)
    later[..., :-1] = logs[..., 1:]
    sums: Floats = np.cumsum(later[..., ::-1], axis=-1)[..., ::-1]
    return sums


def _log_moments(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """Return the logarithms of the first two moments of Beta(a, b), as two rows."""
    with np.errstate(divide="ignore"):  # Nobody at risk: nothing is sure.
        first = np.log(a / (a + b))
    return np.stack([first, first + np.log((a + 1) / (a + b + 1))])


def _chance(logs: Floats, share: float) -> Floats:
    """Return P(F < share) of the beta with the moments whose logarithms are ``logs``."""
    first, second = logs
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, variance = np.exp(first), np.exp(2 * first) * np.expm1(second - 2 * first)
        size = mean * (1 - mean) / variance - 1
        chance: Floats = special.betainc(mean * size, (1 - mean) * size, share)
    return chance
