"""The grid: event time cut into cells of one window's length, counted from the epoch.

Instants are whole seconds since the epoch here, so that cells of any length lie exactly.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

LAST_YEAR = 2999
"""Later event times are taken for nonsense: one of them would close every window."""
END = int(datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp())


def seconds(instant: datetime) -> int:
    """Return ``instant`` in whole seconds since the epoch, rounded down.

    >>> seconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400
    """
    return check(math.floor(instant.timestamp()))


def check(second: int) -> int:
    """Return ``second`` when the grid has it; raise InvalidInput otherwise."""
    if not 0 <= second < END:
        allowed = f"between the years 1970 and {LAST_YEAR}"
        raise InvalidInput("event_time", "an event", allowed, f"{second} s since 1970")
    return second


def floor(second: int, length: int) -> int:
    """Return the start of the cell that holds ``second``.

    >>> floor(3599, 3600), floor(3600, 3600)
    (0, 3600)
    """
    return second - second % length


def instant(second: int) -> datetime:
    """Return the instant ``second`` seconds after the epoch, in UTC."""
    return datetime.fromtimestamp(second, UTC)


def text(second: int) -> str:
    """Return the instant as RFC 3339.

    >>> text(86400)
    '1970-01-02T00:00:00Z'
    """
    return times.to_text(instant(second))
