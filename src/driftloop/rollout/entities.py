"""Entities: how far a mean is off because it is of these entities and not of others.

Two bundles that share traffic are each asked about entities of their own, which may differ for
good: no number of requests takes that away. So values are summed by groups of entities, by a hash
that knows nothing of the split, and the groups say how much another choice of entities would have
changed the mean: with n_g rows, sum t_g in group g and the mean m of all,

    se^2 = G / (G - 1) sum_g (t_g - m n_g)^2 / n^2        over the G groups that have rows

the variance of a ratio of sums over clusters (Cochran, "Sampling Techniques", 1977, 6.3; Cameron
and Miller, 2015, for the factor). It holds the rows' own noise as well.
"""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np

from driftloop.value import Value

GROUPS = 64
FEWEST = 20
"""Groups with rows below which their spread says too little."""
SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: neighbours come far apart (Knuth, vol. 3, 6.4)."""
Array = np.ndarray[Any, np.dtype[Any]]


def groups_of(values: Array) -> Array:
    """Return each entity's group, the same in every process.

    >>> first, other, again = groups_of(np.array(["a", "b", "a"])).tolist()
    >>> first == again, 0 <= other < GROUPS
    (True, True)
    """
    texts = (str(value).encode("utf-8", "surrogatepass") for value in values.tolist())
    numbers = np.fromiter((zlib.crc32(one) for one in texts), np.uint64, len(values))
    return (numbers * SPREAD >> np.uint64(58)).astype(np.int64)


class Entities(Value):
    """Rows and sums of a value by group of entities; empty where nobody counted them."""

    n: tuple[int, ...] = ()
    total: tuple[float, ...] = ()

    def __add__(self, other: Entities) -> Entities:
        """Return what both counted."""
        if not (self.n and other.n):
            return self if self.n else other
        return _entities(self._counts() + other._counts(), self._sums() + other._sums())

    def __sub__(self, other: Entities) -> Entities:
        """Return what the other lacks; of counts that are gone nothing is left."""
        if not (self.n and other.n):
            return self
        return _entities(self._counts() - other._counts(), self._sums() - other._sums())

    @property
    def groups(self) -> int:
        """Return how many groups have rows."""
        return sum(count > 0 for count in self.n)

    @property
    def error(self) -> float:
        """Return the standard error of the mean; infinity where too few groups have rows."""
        if self.groups < FEWEST:
            return math.inf
        n, total = self._counts(), self._sums()
        left = total - total.sum() / n.sum() * n
        return float(np.sqrt(self.groups / (self.groups - 1) * (left**2).sum()) / n.sum())

    def _counts(self) -> Array:
        return np.array(self.n, dtype=np.int64)

    def _sums(self) -> Array:
        return np.array(self.total)


def _entities(n: Array, total: Array) -> Entities:
    return Entities(n=tuple(n.tolist()), total=tuple(total.tolist()))


def counted(entities: Array, values: Array) -> Entities:
    """Return the rows and sums of ``values``, one for each of ``entities``; NaN counts for none."""
    kept = np.isfinite(values)
    groups, values = groups_of(entities)[kept], values[kept]
    return _entities(np.bincount(groups, minlength=GROUPS), np.bincount(groups, values, GROUPS))
