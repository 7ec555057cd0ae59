"""Wording: numbers, times and names as the report writes them; '—' where there is none."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

NONE = "—"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
VERDICTS = {"promote": "promoted", "hold": "held", "reject": "rejected", "failed": "failed"}
FAULTS = {
    "missing": "values are missing",
    "out_of_range": "values lie outside the contract's range",
    "stands_still": "stands still at one value",
}
CHARACTER = 7.0
"""Mean width of a character of a plot's labels, in pixels, on the wide side."""


def number(value: Any, digits: int = 0) -> str:
    """Return a number with thousands separated.

    >>> number(318250), number(0.09165, 5), number(None)
    ('318,250', '0.09165', '—')
    """
    return f"{value:,.{digits}f}" if _finite(value) else NONE


def short(value: Any, digits: int = 3) -> str:
    """Return a number in so many significant digits.

    >>> short(0.0276431), short(1234.5, 2)
    ('0.0276', '1.2e+03')
    """
    return f"{value:.{digits}g}" if _finite(value) else NONE


def signed(value: Any, digits: int = 5) -> str:
    """Return a difference with its sign.

    >>> signed(0.00004)
    '+0.00004'
    """
    return f"{value:+.{digits}f}" if _finite(value) else NONE


def share(value: Any) -> str:
    """Return a share in percent.

    >>> share(0.9404)
    '94 %'
    """
    return f"{value:.0%}".replace("%", " %") if _finite(value) else NONE


def duration(seconds: Any) -> str:
    """Return a length of time in the unit a person would choose.

    >>> duration(86400), duration(5400), duration(213.2)
    ('1.0 days', '90 min', '3.6 min')
    """
    if not _finite(seconds):
        return NONE
    if seconds >= 86_400:
        return f"{seconds / 86_400:.1f} days"
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds / 60:.1f} min"
    return f"{seconds:.1f} s"


def day(time: datetime) -> str:
    """Return the date, with the time of day where it is not midnight.

    >>> day(datetime(2012, 4, 1)), day(datetime(2012, 4, 1, 6))
    ('2012-04-01', '2012-04-01 06:00')
    """
    return f"{time:%Y-%m-%d}" if (time.hour, time.minute) == (0, 0) else f"{time:%Y-%m-%d %H:%M}"


def span(start: datetime, end: datetime) -> str:
    """Return a stretch of time."""
    return f"{day(start)} to {day(end)}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> plural(1, "window"), plural(0, "window")
    ('1 window', '0 windows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def verdict(name: str | None) -> str:
    """Return how a retraining ended, as an adjective."""
    return VERDICTS.get(name, name) if name else "not ended"


def clipped(text: str, pixels: float) -> str:
    """Return ``text`` cut to fit a plot's space; '' where not even five characters fit.

    >>> clipped("query_ctr_28d", 60)
    'query_c…'
    """
    room = int(pixels / CHARACTER)
    if len(text) <= room:
        return text
    return text[: room - 1].rstrip() + "…" if room >= 5 else ""


def width(text: str) -> float:
    """Return the pixels that a label takes, an estimate on the wide side."""
    return len(text) * CHARACTER


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
