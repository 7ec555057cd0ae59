"""Audit: how many labels are wrong by rows that a person looked at, whatever the model thinks.

A queue takes the most uncertain rows all, and some of the others at random. With N_1 rows of the
first kind and N_0 others, and p_1 and p_0 wrong among those of each kind that were looked at, the
share

    rate = (N_1 p_1 + N_0 p_0) / (N_1 + N_0)

has no bias (a stratified sample; Cochran, 1977, ch. 5). Its bounds are Wilson's of both kinds (Zou
and Donner, 2008), closer where much of a kind was looked at: of all of it nothing is uncertain.
Rows of the queue that nobody looked at are taken for no better and no worse than others of theirs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from driftloop.evaluation.difference import Interval
from driftloop.labels.proportion import wilson
from driftloop_contracts.errors import InvalidInput


def rate(wrong: Any, is_random: Any, rows: int, chosen: int | None = None) -> Interval:
    """Return the share of wrong labels among ``rows``, between its two-sided 95 % bounds.

    ``wrong``: whether each reviewed row's label was; ``is_random``: whether it was drawn at random
    from what was left; ``chosen``: how many rows were chosen otherwise (those reviewed, unless
    said). Of a kind of which nothing was reviewed nothing is known: NaN, between what can be.

    >>> found = rate([True, True, False, False], [False, False, True, True], 4)
    >>> [round(bound, 2) for bound in found]
    [0.5, 0.5, 0.5]
    """
    bad, drawn = np.asarray(wrong, dtype=bool), np.asarray(is_random, dtype=bool)
    if bad.shape != drawn.shape or bad.ndim != 1 or not 0 < len(bad) <= rows:
        allowed = f"1 to {rows} rows, each with where it came from"
        raise InvalidInput("the reviewed rows", "the audit", allowed, bad.shape)
    first = int((~drawn).sum()) if chosen is None else chosen
    kinds = ((first, bad[~drawn]), (rows - first, bad[drawn]))
    parts = [(size / rows, _share(seen, size)) for size, seen in kinds if size]
    value = sum(part * share.estimate for part, share in parts)
    below = math.hypot(*(part * (share.estimate - share.low) for part, share in parts))
    above = math.hypot(*(part * (share.high - share.estimate) for part, share in parts))
    if math.isnan(value):
        low, high = (sum(part * share[end] for part, share in parts) for end in (0, 2))
        return Interval(low, value, high)
    return Interval(max(0.0, value - below), value, min(1.0, value + above))


def _share(seen: Any, size: int) -> Interval:
    """Return the share of wrong ones among ``size`` rows of which some were ``seen``."""
    low, share, high = wilson(float(seen.sum()), float(len(seen)))
    if not len(seen):
        return Interval(low, share, high)
    left = math.sqrt(max(0.0, (size - len(seen)) / max(size - 1, 1)))
    return Interval(share + left * (low - share), share, share + left * (high - share))
