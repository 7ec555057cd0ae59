"""Moments: mean and variance of columns that are seen batch by batch.

Two batches' moments add up to those of both, without loss where means are large (Chan, Golub and
LeVeque, 1979: Updating formulae and a pairwise algorithm for computing sample variances).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Moments:
    """Of each column: how many values are known, their mean, and the sum of squares about it."""

    count: Floats
    mean: Floats
    squares: Floats

    @classmethod
    def of(cls, values: Floats) -> Moments:
        """Return the moments of ``values``, [rows, columns]; NaN is a missing value."""
        known = ~np.isnan(values)
        count = known.sum(axis=0).astype("float64")
        mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(known, values - mean, 0.0) ** 2).sum(axis=0)
        return cls(count, mean, squares)

    @classmethod
    def nothing(cls, columns: int) -> Moments:
        """Return the moments of no rows."""
        return cls(np.zeros(columns), np.zeros(columns), np.zeros(columns))

    def __add__(self, other: Moments) -> Moments:
        """Return the moments of both batches together.

        >>> both = Moments.of(np.array([[1.0], [2.0]])) + Moments.of(np.array([[6.0]]))
        >>> both.mean.tolist(), both.squares.tolist()
        ([3.0], [14.0])
        """
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        apart = other.mean - self.mean
        mean = self.mean + apart * share
        squares = self.squares + other.squares + apart**2 * self.count * share
        return Moments(count, mean, squares)

    @property
    def scale(self) -> Floats:
        """Return each column's standard deviation; 1 where it does not vary."""
        deviation = np.sqrt(self.squares / np.maximum(self.count, 1))
        constant = deviation <= 1e-12 * np.maximum(np.abs(self.mean), 1e-300)
        return np.where(constant, 1.0, deviation)
