"""Contrast: by how much a mean differs between two bundles, looked at whenever one likes.

Both serve at the same time, so each look compares like with like, whatever the hour and the share
of traffic. Look i adds its difference of means d_i with the weight w_i = n_c n_s / (n_c + n_s):

    S = sum w_i d_i        T = sum w_i        V = v_c sum w_i^2 / n_c + v_s sum w_i^2 / n_s

with v_c and v_s the bundles' variances within looks, of all looks together: that of a few rows of
rare values is often 0. The difference lies within (S -+ u(V)) / T at all looks at once with
probability 1 - alpha,

    u(V) = sqrt((V + R) log((V + R) / (R alpha^2)))

the normal mixture boundary (Robbins, 1970; Howard et al., 2021; for sums of this kind it holds in
the limit of many rows: Waudby-Smith et al., 2024). R sets where it is narrowest.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from driftloop.value import Value

NARROW = 250.0
"""w_i that R stands for: narrowest near eight times as many, 2,000 rows of a small share."""
FEWEST = 30
"""Rows a side without which a look waits for the next."""
BORROWED = 100.0
"""Rows of the stable bundle's variance in the candidate's, which has few rows of its own."""


class Moments(Value):
    """A value's number, sum and sum of squares over rows."""

    n: int = 0
    total: float = 0.0
    square: float = 0.0

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both."""
        return Moments(
            n=self.n + other.n,
            total=self.total + other.total,
            square=self.square + other.square,
        )

    def __sub__(self, other: Moments) -> Moments:
        """Return the moments of the rows that the other lacks."""
        return Moments(
            n=self.n - other.n,
            total=self.total - other.total,
            square=self.square - other.square,
        )

    @property
    def mean(self) -> float:
        """Return the mean; 0 of nothing."""
        return self.total / self.n if self.n else 0.0

    @property
    def spread(self) -> float:
        """Return the sum of squared distances from the mean."""
        return max(0.0, self.square - self.total * self.mean)


class Bounds(NamedTuple):
    """A difference between its bounds, which hold at all looks at once."""

    low: float
    estimate: float
    high: float

    def widened(self, reach: float) -> Bounds:
        """Return them so much further apart on each side."""
        return Bounds(self.low - reach, self.estimate, self.high + reach)


class Side(Value):
    """One bundle's looks: sum of w^2 / n, of squared distances within looks, of n - 1."""

    leverage: float = 0.0
    spread: float = 0.0
    freedom: int = 0

    def after(self, seen: Moments, weight: float) -> Side:
        """Return the looks with one more."""
        return Side(
            leverage=self.leverage + weight**2 / seen.n,
            spread=self.spread + seen.spread,
            freedom=self.freedom + seen.n - 1,
        )


class Contrast(Value):
    """S, T, R (of one row; 0 before the first look), both sides, and what waits for more rows."""

    weighted: float = 0.0
    information: float = 0.0
    mixture: float = 0.0
    sides: tuple[Side, Side] = (Side(), Side())
    waiting: tuple[Moments, Moments] = (Moments(), Moments())

    def after(self, candidate: Moments, stable: Moments) -> Contrast:
        """Return the contrast with one more look."""
        c, s = self.waiting[0] + candidate, self.waiting[1] + stable
        if min(c.n, s.n) < FEWEST:
            return self.model_copy(update={"waiting": (c, s)})
        weight = c.n * s.n / (c.n + s.n)
        first = (c.spread + s.spread) / (c.n + s.n - 2)
        update = {
            "weighted": self.weighted + weight * (c.mean - s.mean),
            "information": self.information + weight,
            "mixture": self.mixture or first * NARROW,
            "sides": (self.sides[0].after(c, weight), self.sides[1].after(s, weight)),
            "waiting": (Moments(), Moments()),
        }
        return self.model_copy(update=update)

    @property
    def variance(self) -> float:
        """Return V."""
        own, other = self.sides
        usual = other.spread / max(1, other.freedom)
        candidate = (own.spread + BORROWED * usual) / (own.freedom + BORROWED)
        return candidate * own.leverage + usual * other.leverage

    def bounds(self, alpha: float) -> Bounds:
        """Return the difference, candidate - stable, between its bounds.

        >>> Contrast().bounds(0.05)
        Bounds(low=-inf, estimate=0.0, high=inf)
        """
        estimate = self.weighted / self.information if self.information else 0.0
        if not self.mixture:  # no look, or no two values that differ: nothing is known
            return Bounds(-math.inf, estimate, math.inf)
        whole = self.variance + self.mixture
        reach = math.sqrt(whole * math.log(whole / (self.mixture * alpha**2))) / self.information
        return Bounds(estimate - reach, estimate, estimate + reach)
