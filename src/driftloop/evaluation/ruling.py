"""Ruling: what one of the gate's questions comes to, and what several come to together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from driftloop.evaluation.difference import Interval

PROMOTE, HOLD, REJECT = "promote", "hold", "reject"
SEVERITY = (PROMOTE, HOLD, REJECT)
POWER = 0.85
"""Chance to tell a candidate a margin away from the limit, on the rows that are asked for."""


@dataclass(frozen=True)
class Ruling:
    """An answer with the reasons a person reads; ``lacking``: rows that it would take more."""

    verdict: str
    reasons: tuple[str, ...] = ()
    lacking: int = 0


def together(rulings: Sequence[Ruling]) -> Ruling:
    """Return the most severe answer with all reasons.

    >>> together([Ruling(PROMOTE, ("Fine.",)), Ruling(HOLD, ("Too few rows.",), 40)])
    Ruling(verdict='hold', reasons=('Fine.', 'Too few rows.'), lacking=40)
    """
    verdict = max((one.verdict for one in rulings), key=SEVERITY.index)
    reasons = tuple(reason for one in rulings for reason in one.reasons)
    return Ruling(verdict, reasons, max(one.lacking for one in rulings))


def of_interval(difference: Interval, limit: float) -> str:
    """Return PROMOTE for surely at most the limit, REJECT for surely above, HOLD otherwise.

    >>> of_interval(Interval(-0.01, 0.0, 0.01), 0.02), of_interval(Interval(-0.01, 0.0, 0.01), 0.0)
    ('promote', 'hold')
    """
    if difference.high <= limit:
        return PROMOTE
    return REJECT if difference.low > limit else HOLD


def rows_lacking(rows: int, error: float, margin: float, confidence: float) -> int:
    """Return how many more rows tell candidates a margin apart from the limit; 0 for enough.

    ``error``: standard error of the difference on ``rows``. Without a margin no number does: 0.

    >>> rows_lacking(1000, 0.01, 0.01, 0.95)
    6190
    """
    reach = float(special.ndtri(confidence) + special.ndtri(POWER))
    if margin <= 0 or not math.isfinite(reach * error):
        return 0
    return max(0, math.ceil(rows * ((reach * error / margin) ** 2 - 1)))


def told(difference: Interval) -> str:
    """Return an interval as reasons have it.

    >>> told(Interval(-0.01, 0.0, 0.02))
    '+0.00% [-1.00%, +2.00%]'
    """
    return f"{difference.estimate:+.2%} [{difference.low:+.2%}, {difference.high:+.2%}]"
