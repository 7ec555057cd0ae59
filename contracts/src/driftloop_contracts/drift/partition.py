"""Partition: a feature's values in cells, so that windows are counts and counts add up.

Numeric: cells between quantiles of the reference, denser in the tails, where a change of
spread shows. Categorical: the reference's categories and one cell for all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

TAIL = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075)
SHARES = (*TAIL, *(round(0.1 + 0.05 * step, 2) for step in range(17)), *(1 - s for s in TAIL[::-1]))
"""Shares of the reference below each cut, before equal cuts are joined."""
MAX_CATEGORIES = 200
"""Categories with a cell of their own; rarer ones share the last."""


def cuts(values: Floats, weights: Floats) -> tuple[float, ...]:
    """Return the ascending, different cuts of a numeric reference; none for a constant one.

    A value equal to a cut lies below it. The largest value is no cut: nothing lies above it.

    >>> cuts(np.array([1.0, 2.0, 2.0, 3.0]), np.ones(4))
    (1.0, 2.0)
    """
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    places = np.minimum(np.searchsorted(below, SHARES), len(values) - 1)
    found = np.unique(values[order][places])
    return tuple(float(cut) for cut in found[found < values.max()])


def numeric(values: Floats, ascending: Sequence[float]) -> Codes:
    """Return the cell of each value, from 0 to ``len(ascending)``.

    >>> numeric(np.array([0.5, 1.0, 7.0]), [1.0, 2.0]).tolist()
    [0, 0, 2]
    """
    return np.searchsorted(np.asarray(ascending, dtype=np.float64), values, side="left")


def categories(values: Any, weights: Floats) -> tuple[str, ...]:
    """Return the categories that get a cell, by name: the heaviest ``MAX_CATEGORIES``."""
    names, places = np.unique(np.asarray(values, dtype=object).astype(str), return_inverse=True)
    total = np.bincount(places, weights, minlength=len(names))
    kept = np.argsort(-total, kind="stable")[:MAX_CATEGORIES]
    return tuple(sorted(str(name) for name in names[kept]))


def categorical(values: Any, known: Sequence[str]) -> Codes:
    """Return the cell of each category; ``len(known)`` for one that is not known.

    >>> categorical(["b", "z"], ["a", "b"]).tolist()
    [1, 2]
    """
    place = {name: number for number, name in enumerate(known)}
    return np.fromiter((place.get(v, len(known)) for v in values), np.int64, len(values))
