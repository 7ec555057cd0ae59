"""Volume: whether a day's rows are as many as the days before lead to expect.

A count y after D days with s rows in all breaks the promise when it is more than ``factor`` times
from their mean, and when that is no chance at the budget's level by any of these tests:

    counts that only vary by chance   y of y + s is Binomial(1 / (D + 1))
                                      (Przyborowski and Wilenski, 1940), exact for Poisson counts
    days that vary more than that     log(y + 1/2) and sqrt(y) are Student's t about the days' own,
                                      D - 1 degrees of freedom: the first suits days of many rows,
                                      the second such as are often near 0

The largest p-value decides, so steady traffic of either kind raises false alarms at most as often
as the budget says, low and high together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from driftloop import instants
from driftloop.data.finding import Finding
from driftloop.spec.contract import Volume

Counts = NDArray[np.int64]
DAY = pd.Timedelta(days=1)
FEWEST = 3
"""Days before without which nothing is said."""


@dataclass(frozen=True)
class Days:
    """The newest whole day, its rows, and those of the days that it is compared with."""

    day: pd.Timestamp
    rows: int
    before: Counts


def judge(
    times: pd.Series[pd.Timestamp], now: datetime, promise: Volume, source: str
) -> Finding | None:
    """Return whether the newest whole day's rows keep ``promise``; None of too few days.

    ``times``: of all rows, with their zone; a day is whole ``promise.lag`` after its end.
    """
    return judge_days(by_day(times), now, promise, source)


def by_day(times: pd.Series[pd.Timestamp]) -> pd.Series[int]:
    """Return how many of ``times`` each day has that has any; parts of the rows add up."""
    return times.dt.floor("D").value_counts()


def judge_days(rows: pd.Series[int], now: datetime, promise: Volume, source: str) -> Finding | None:
    """Return what ``judge`` does, of each day's number of ``rows``."""
    days = _count(rows, now, promise)
    if days is None or len(days.before) < FEWEST or not days.before.sum():
        return None
    ratio, p = days.rows / float(days.before.mean()), surprise(days.rows, days.before)
    level = promise.false_alarms.per_second * DAY.total_seconds()
    far = not 1 / promise.factor <= ratio <= promise.factor
    sentence = (
        f"On {days.day:%Y-%m-%d} {source} has {days.rows} rows, {ratio:.2f} times the mean of "
        f"{days.before.mean():.0f} on {len(days.before)} days before; {1 / promise.factor:.2f} to "
        f"{promise.factor:g} times are allowed (p = {p:.1g}, level {level:.1g})."
    )
    return Finding(source, "volume", sentence, ratio, promise.factor, bool(far and p < level))


def _count(rows: pd.Series[int], now: datetime, promise: Volume) -> Days | None:
    """Return the rows of the newest whole day and of the days before it, empty ones included.

    The day of the first row is left out: nothing says that it is whole.
    """
    day = (instants.utc(now) - promise.lag).floor("D") - DAY
    if rows.empty or rows.index.min() + DAY > day:
        return None
    first = rows.index.min() + DAY
    start = max(first, day - promise.days * DAY)
    every = pd.date_range(start, day, freq="D")
    counts = rows.reindex(every, fill_value=0)
    before = counts.iloc[:-1]
    if promise.seasonality == "weekly":
        before = before[every[:-1].weekday == day.weekday()]
    return Days(day, int(counts.iloc[-1]), np.asarray(before, "int64"))


def surprise(rows: int, before: Any) -> float:
    """Return the two-sided p-value of a day's rows after those of the days before.

    >>> surprise(1000, [990, 1010, 1005, 995]) > 0.5, surprise(300, [990, 1010, 1005, 995]) < 0.001
    (True, True)
    """
    own = np.asarray(before, "int64")
    total, share = rows + int(own.sum()), 1 / (len(own) + 1)
    below = float(special.bdtr(rows, total, share))
    above = float(special.bdtrc(rows - 1, total, share)) if rows else 1.0
    scaled = [np.log(np.append(own, rows) + 0.5), np.sqrt(np.append(own, rows))]
    return min(1.0, 2 * max(min(below, above), *(_student(one) for one in scaled)))


def _student(values: NDArray[np.float64]) -> float:
    """Return the one-sided p-value of the last value among the others."""
    own, last = values[:-1], values[-1]
    spread = float(own.std(ddof=1)) * np.sqrt(1 + 1 / len(own))
    distance = abs(float(last - own.mean()))
    return float(special.stdtr(len(own) - 1, -distance / max(spread, 1e-12)))
