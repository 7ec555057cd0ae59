"""Axis: from values and instants to pixels, with round ticks that do not collide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from driftloop.report.wording import MONTHS

LABEL = 66.0
"""Least pixels from one date's label to the next."""
HOURS = (1, 3, 6, 12)
DAYS = (1, 2, 7, 14)
MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to pixels [start, end]; ``end`` below ``start`` turns the axis round."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of ``value``, which stays on the axis.

        >>> Scale(0, 10, 0, 100)(5), Scale(0, 10, 0, 100)(12)
        (50.0, 100.0)
        """
        span = (self.high - self.low) or 1.0
        part = min(max((value - self.low) / span, 0.0), 1.0)
        return self.start + part * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[tuple[float, str]]:
    """Return round numbers within [low, high], at most about ``count``, with their labels.

    >>> [label for _, label in ticks(0.052, 0.149)]
    ['0.06', '0.08', '0.10', '0.12', '0.14']
    """
    raw = ((high - low) or 1.0) / max(1, count)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= raw * (1 - 1e-9))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(i * step, f"{i * step:,.{digits}f}") for i in range(first, last + 1)]


@dataclass(frozen=True)
class TimeAxis:
    """The instants [first, last] on the pixels [start, end]."""

    first: datetime
    last: datetime
    start: float
    end: float

    def __call__(self, time: datetime) -> float:
        """Return the pixel of an instant, which stays on the axis."""
        length = (self.last - self.first).total_seconds()
        return Scale(0.0, length, self.start, self.end)((time - self.first).total_seconds())

    def dates(self) -> list[tuple[datetime, str]]:
        """Return instants to label, as many as have room; the year where it is news."""
        room = max(2, int((self.end - self.start) / LABEL))
        for step in _steps():
            if step.count(self.first, self.last) <= room:
                found = list(step.instants(self.first, self.last))
                return [(t, step.label(t, i == 0)) for i, t in enumerate(found)]
        return []


@dataclass(frozen=True)
class _Step:
    """A step of the calendar: so many months, or so many hours."""

    months: int = 0
    hours: int = 0

    def count(self, first: datetime, last: datetime) -> float:
        hours = (last - first).total_seconds() / 3600
        return hours / (self.hours or self.months * 730.5)

    def instants(self, first: datetime, last: datetime) -> Iterator[datetime]:
        time = first.replace(hour=0, minute=0, second=0, microsecond=0)
        if self.months:
            time = time.replace(day=1, month=1)
        elif self.hours % 168 == 0:
            time -= timedelta(days=time.weekday())
        while time <= last:
            if time >= first:
                yield time
            time = self._next(time)

    def _next(self, time: datetime) -> datetime:
        if not self.months:
            return time + timedelta(hours=self.hours)
        years, month = divmod(time.month - 1 + self.months, 12)
        return time.replace(year=time.year + years, month=month + 1)

    def label(self, time: datetime, first: bool) -> str:
        month, year = MONTHS[time.month - 1], str(time.year)
        if self.months >= 12:
            return year
        if self.months:
            return f"{month} {year}" if first or time.month <= self.months else month
        if self.hours < 24 and time.hour:
            return f"{time:%H:%M}"
        return f"{time.day} {month} {year}" if first else f"{time.day} {month}"


def _steps() -> Iterator[_Step]:
    yield from (_Step(hours=hours) for hours in HOURS)
    yield from (_Step(hours=24 * days) for days in DAYS)
    yield from (_Step(months=months) for months in MONTH_STEPS)
