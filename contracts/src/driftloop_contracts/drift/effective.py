"""Effective: how many independent rows a sample is worth, from how its blocks differ.

Rows resemble their neighbours: users come in sessions, days have moods. A share measured on n
such rows varies like one measured on n / d independent rows; d is the design effect (Kish, 1965).
It is estimated from the reference itself: cut into blocks of consecutive rows,

    d(b) = mean over blocks of  n_b (share_b - share)^2 / (share (1 - share))

with n_b the block's rows, or (sum of weights)^2 / (sum of squares) where rows have weights
(Kish). Blocks of many sizes are tried, from BLOCK rows to whole windows, because a dependence
that is longer than a block does not show in it (the batch means of simulation; Carlstein, 1986,
for blocks as a resampling scheme, whose variance this is in closed form).

A design effect is taken from longer blocks only where it is surely larger than what shorter
ones show: few blocks estimate it badly. What few blocks did estimate is raised by the ratio of
Student's to the normal quantile, squared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from scipy import special

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

BLOCK = 16
"""Rows of the shortest blocks."""
FEWEST = 8
"""Blocks that an estimate needs."""
MANY = 200
"""Blocks from which on single cells are estimated well, not only their mean."""
CONFIDENCE = 0.95
"""That longer blocks show more, before they are believed."""
TAIL = 1e-4
"""Where Student's quantile is compared with the normal one: the level of a typical test."""


def rows(weight: float, square: float) -> float:
    """Return Kish's number of rows of equal weight that are worth as much.

    >>> rows(4.0, 4.0), rows(4.0, 10.0)
    (4.0, 1.6)
    """
    return weight * weight / square if square > 0 else 0.0


def design_effect(
    hits: Floats, weights: Floats, groups: Codes, cells: Codes, longest: int
) -> float:
    """Return the design effect of a window's shares, at least 1.

    ``hits``: [rows, k], 1 where a row falls under the k-th share, in the order of time;
    ``groups``: rows that may differ among each other for good (a weekday, a regime), so only
    the difference to their own group's share counts; ``cells``: the window of each row, blocks
    of their own beside those of 16 to ``longest`` rows.
    """
    weighted = np.ascontiguousarray((hits * weights[:, None]).T)
    usual = _means(weighted, weights, groups, int(groups.max()) + 1)
    return largest(
        _squares(weighted, weights, groups, blocks, usual) for blocks in blockings(cells, longest)
    )


def largest(squares_by_blocks: Iterable[tuple[Floats, int]]) -> float:
    """Return the design effect that blocks of ever more rows show, at least 1.

    Of each size: for every share its mean standardized square over the blocks, and the degrees
    of freedom of these means.
    """
    found, ratio = 1.0, 1.0
    for squares, freedom in squares_by_blocks:
        if freedom < FEWEST - 1 or not squares.size:
            continue
        mean = float(squares.mean())
        if freedom >= MANY:
            widest = float(np.quantile(squares, 0.9))
            found, ratio = max(found, widest), max(1.0, widest / max(mean, 1e-9))
        elif mean * ratio > found * special.chdtri(2 * freedom, 1 - CONFIDENCE) / (2 * freedom):
            found = max(found, mean * ratio * _raised(freedom))
    return found


def blockings(cells: Codes, longest: int) -> Iterator[Codes]:
    """Yield, shortest first, the block of every row; the windows themselves come last."""
    size, count = BLOCK, len(cells)
    while size <= longest and count // size >= FEWEST:
        yield np.minimum(np.arange(count) // size, count // size - 1)
        size *= 2
    yield np.unique(cells, return_inverse=True)[1].astype(np.int64)


def _squares(
    weighted: Floats, weights: Floats, groups: Codes, blocks: Codes, usual: Floats
) -> tuple[Floats, int]:
    """Return each share's mean standardized square over the blocks, and the degrees of freedom."""
    count, kinds = int(blocks.max()) + 1, len(usual)
    own = np.bincount(blocks * kinds + groups, weights, count * kinds).reshape(count, kinds)
    kish = rows_of(own.sum(axis=1), _sums(weights**2, blocks, count))
    expected = own @ usual / own.sum(axis=1)[:, None]
    shares = _means(weighted, weights, blocks, count)
    usable = (expected * (1 - expected) * kish[:, None]).mean(axis=0) > 0.5
    spread = np.maximum(expected * (1 - expected), 1e-12)
    squares = kish[:, None] * (shares - expected) ** 2 / spread
    freedom = count - kinds
    return squares[:, usable].sum(axis=0) / max(1, freedom), freedom


def rows_of(weight: Floats, square: Floats) -> Floats:
    """Return Kish's number of rows for each of many samples."""
    found: Floats = weight**2 / np.maximum(square, 1e-300)
    return found


def _means(weighted: Floats, weights: Floats, blocks: Codes, count: int) -> Floats:
    total = np.maximum(_sums(weights, blocks, count), 1e-300)
    means: Floats = np.stack([_sums(share, blocks, count) / total for share in weighted], axis=1)
    return means


def _sums(values: Floats, blocks: Codes, count: int) -> Floats:
    sums: Floats = np.bincount(blocks, values, minlength=count).astype(np.float64)
    return sums


def _raised(freedom: int) -> float:
    student = float(special.stdtrit(freedom, 1 - TAIL))
    return (student / float(special.ndtri(1 - TAIL))) ** 2
