"""Instants as text: RFC 3339 in UTC, the form CloudEvents and file names use."""

from __future__ import annotations

from datetime import UTC, datetime

from driftloop_contracts.errors import InvalidInput


def to_text(instant: datetime) -> str:
    """Return ``instant`` (aware) as RFC 3339 in UTC.

    >>> to_text(datetime(2012, 4, 1, tzinfo=UTC))
    '2012-04-01T00:00:00Z'
    """
    if instant.tzinfo is None:
        raise InvalidInput("an instant", "an event", "a time with a time zone", instant)
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def from_text(text: object, what: str = "time", where: str = "an event") -> datetime:
    """Return the instant that ``text`` names, in UTC; raise InvalidInput when it names none.

    >>> from_text("2012-04-01T02:00:00+02:00")
    datetime.datetime(2012, 4, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        instant = datetime.fromisoformat(str(text))
        if instant.tzinfo is None:
            raise InvalidInput(what, where, "an RFC 3339 time with a time zone", text)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(what, where, "an RFC 3339 time", text) from None
