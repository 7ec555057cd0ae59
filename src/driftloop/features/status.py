"""Status: whether a stored value may be used at an instant, by the rules of the offline join."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """What a lookup found: a value, one older than its view's TTL, one of later, or none."""

    PRESENT = "present"
    EXPIRED = "expired"
    EARLY = "early"
    MISSING = "missing"


def of(event: int | None, now: int, ttl: int) -> Status:
    """Return the status at ``now`` of a value whose time is ``event`` (None: there is none).

    All are microseconds; ``ttl`` 0 is none. Both ends are inclusive, as in training: a value may
    be exactly as old as its TTL, and exactly as young as now.

    >>> of(5, now=15, ttl=10).value, of(4, now=15, ttl=10).value, of(16, now=15, ttl=0).value
    ('present', 'expired', 'early')
    """
    if event is None:
        return Status.MISSING
    if event > now:
        return Status.EARLY
    return Status.EXPIRED if ttl and now - event > ttl else Status.PRESENT
