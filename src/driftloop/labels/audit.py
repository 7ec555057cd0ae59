"""Audit: how many labels are wrong by rows that a person looked at, whatever the model thinks.

A queue takes the most uncertain rows all, and the others at random. With n_1 rows of the first kind
and n_0 others, of which m_0 were drawn, the share

    rate = (n_1 p_1 + n_0 p_0) / (n_1 + n_0)

of p_1 and p_0 wrong among those that were looked at has no bias (a stratified sample; Cochran,
1977, ch. 5). Its bounds are Wilson's of p_0: of rows that were all looked at nothing is uncertain.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from driftloop.evaluation.difference import Interval
from driftloop.labels.proportion import wilson
from driftloop_contracts.errors import InvalidInput


def rate(wrong: Any, is_random: Any, rows: int) -> Interval:
    """Return the share of wrong labels among ``rows``, between its two-sided 95 % bounds.

    ``wrong``: whether each reviewed row's label was; ``is_random``: whether it was drawn at random
    from what was left. Nothing drawn at random: nothing is known of the rest.

    >>> found = rate([True, True, False, False], [False, False, True, True], 4)
    >>> [round(bound, 2) for bound in found]
    [0.5, 0.5, 0.5]
    """
    bad, drawn = np.asarray(wrong, dtype=bool), np.asarray(is_random, dtype=bool)
    if bad.shape != drawn.shape or bad.ndim != 1 or not 0 < len(bad) <= rows:
        allowed = f"1 to {rows} rows, each with where it came from"
        raise InvalidInput("the reviewed rows", "the audit", allowed, bad.shape)
    left = rows - int((~drawn).sum())
    sure = float(bad[~drawn].sum())
    m = int(drawn.sum())
    rest = wilson(float(bad[drawn].sum()), float(m))
    if m:
        # A sample of a finite number of rows leaves less open, nothing where it is all of them.
        open_share = math.sqrt(max(0.0, (left - m) / max(left - 1, 1)))
        middle = rest.estimate
        low, high = (middle + open_share * (bound - middle) for bound in (rest.low, rest.high))
        rest = Interval(low, middle, high)
    elif not left:
        rest = Interval(0.0, 0.0, 0.0)
    low, middle, high = ((sure + left * share) / rows for share in rest)
    return Interval(low, middle, high)
