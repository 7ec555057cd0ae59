"""Freshness: how old a source's newest row is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from driftloop import instants
from driftloop.data.finding import Finding


def judge(
    times: pd.Series[pd.Timestamp], now: datetime, allowed: timedelta, source: str
) -> Finding:
    """Return whether the newest of ``times``, none later than ``now``, is young enough.

    >>> days = pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True))
    >>> now = datetime.fromisoformat("2026-01-06T00:00Z")
    >>> print(judge(days, now, timedelta(days=3), "log").sentence)
    The newest row of log is 4.0 days old; 3.0 are allowed.
    """
    age: pd.Timedelta = instants.utc(now) - times.max()
    sentence = f"The newest row of {source} is {_days(age)} days old; {_days(allowed)} are allowed."
    seconds, most = age.total_seconds(), allowed.total_seconds()
    return Finding(source, "freshness", sentence, seconds, most, seconds > most)


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):.1f}"
