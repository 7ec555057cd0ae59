"""Missing: how much of what became of the served rows is known, as far as that can be told.

Where a row without an outcome is unknown, it is the share that is labelled. Where it counts as a
negative, a feed that failed looks like a bad time: a day without any positive is taken for one on
which nothing was reported where the other days' rate says that many should have come, and a period
of which far fewer rows have a report than usual is not believed either (``faded``).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import pandas as pd

from driftloop.labels.coverage import Coverage

LEAST_COVERAGE = 0.95
"""Share of the mature rows whose outcome must be known before a period is judged."""
EXPECTED = 20.0
"""Positives that a day should have had, of which none came: by chance alone once in e^20 days."""
FADED = 0.2
"""Share of the usual reports below which they seem to be missing."""


def coverage(rows: pd.DataFrame, found: Coverage) -> float:
    """Return the share of mature rows whose outcome is known.

    ``rows``: the labelled ones of the join, with event_time, weight and positives; ``found``: how
    the join adds up.
    """
    mature = found.records - found.immature
    known = len(rows) / mature if mature else 0.0
    return known * heard(rows, "positives") if found.assumed_negative else known


def heard(rows: pd.DataFrame, name: str) -> float:
    """Return the share of rows on days on which the column ``name`` is not silent.

    >>> days = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"], utc=True)
    >>> served = {"event_time": days, "weight": 100.0, "clicked": [30.0, 0.0, 40.0]}
    >>> round(heard(pd.DataFrame(served), "clicked"), 3)
    0.667
    """
    days = rows.groupby(rows["event_time"].dt.floor("D"))
    sums = days[["weight", name]].sum().assign(rows=days.size())
    loud = sums[sums[name] > 0]
    if loud.empty:
        return 1.0
    expected = sums["weight"] * loud[name].sum() / loud["weight"].sum()
    silent = (sums[name] == 0) & (expected >= EXPECTED)
    return 1.0 - float(sums.loc[silent, "rows"].sum()) / len(rows)


def faded(reported: Mapping[str, float], usual: Mapping[str, float]) -> str:
    """Return the label of which far fewer rows than usual have a report, '' for none.

    Both by label: the share of rows that have one.

    >>> faded({"clicked": 0.01}, {"clicked": 0.1}), faded({"clicked": 0.05}, {"clicked": 0.1})
    ('clicked', '')
    >>> faded({"clicked": 0.9}, {"clicked": 1.0}), faded({"clicked": 0.0}, {})
    ('clicked', '')
    """
    # Where everything is reported, a zero is too: what is missing is not a bad time.
    least = {k: LEAST_COVERAGE if v >= LEAST_COVERAGE else FADED * v for k, v in usual.items()}
    return next((k for k, v in reported.items() if v < least.get(k, 0.0)), "")


def usually(before: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median share of each label in the periods before that did not fade themselves."""
    sound: list[Mapping[str, float]] = []
    for one in before:
        if not faded(one, _medians(sound)):
            sound.append(one)
    return _medians(sound)


def _medians(shares: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = {name for one in shares for name in one}
    return {name: statistics.median(s[name] for s in shares if name in s) for name in names}
