"""Grid: which cohorts there are to score. Pure.

A cohort lies between two points of a grid that begins at midnight (UTC), whoever scores it and
whenever: so a job that runs twice, or late, tells of the same cohorts by the same names.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

PAST = timedelta(days=7)
"""How long ago the oldest cohort ended that is scored still; of older ones nothing is told."""
MOST = 24
"""Cohorts that one job scores at most; the next one goes on."""
NAME = "%Y-%m-%dT%H%M"
"""A point of the grid in keys, in order of time."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def newest(moment: datetime, every: timedelta) -> datetime:
    """Return the last point of the grid that is not after ``moment``.

    >>> newest(datetime(2026, 1, 2, 7, 30, tzinfo=UTC), timedelta(hours=6)).hour
    6
    """
    return moment - (moment - EPOCH) % every


def cells(since: datetime, end: datetime, every: timedelta) -> list[tuple[datetime, datetime]]:
    """Return the cohorts (start, end] after ``since`` up to ``end``, oldest first, at most MOST.

    >>> midnight = datetime(2026, 1, 2, tzinfo=UTC)
    >>> [(a.day, b.day) for a, b in cells(midnight, midnight + 2 * PAST, timedelta(days=1))][0]
    (9, 10)
    """
    start, last = max(since, newest(end, every) - PAST), newest(end, every)
    found: list[tuple[datetime, datetime]] = []
    while start < last and len(found) < MOST:
        stop = newest(start, every) + every
        found.append((start, stop))
        start = stop
    return found
