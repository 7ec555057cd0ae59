"""Budget: from "so many false alarms per period" to the level of one test.

With a budget of B alarms per period T, windows of length w and m tests a window,

    alpha_window = 1 - exp(-B w / T)          a Poisson stream of false alarms at rate B / T
    alpha_test   = 1 - (1 - alpha_window)^(1/m)                                (Sidak, 1967)

Assumption: the tests of one window are independent or positively dependent. The extra demand
on the effect size (calibration.py) can only lower the rate.
"""

from __future__ import annotations

import math
from datetime import timedelta

from driftloop.quantities import Rate


def level(budget: Rate, window: timedelta, tests: int) -> float:
    """Return the significance level of one of ``tests`` tests on one window.

    >>> round(level(Rate(1, timedelta(days=90)), timedelta(days=1), 10), 5)
    0.00111
    """
    per_window = -math.expm1(-budget.per_second * window.total_seconds())
    return -math.expm1(math.log1p(-per_window) / tests)
