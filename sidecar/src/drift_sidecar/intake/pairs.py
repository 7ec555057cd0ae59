"""Pairs: halves that wait for each other, bounded in number, in bytes and in time.

Pure: it is told the time and says what is due; whoever asks decides what becomes of it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

Request = TypeVar("Request")
Response = TypeVar("Response")
Key = tuple[str, str]
"""Source and id, which a request and its response share."""
EXPIRED, EVICTED = "expired", "evicted"


@dataclass
class Waiting(Generic[Request, Response]):
    """What has come of one pair; ``since``: when its first half came, in seconds."""

    since: float
    request: Request | None = None
    response: Response | None = None
    size: int = 0


class Pairs(Generic[Request, Response]):
    """At most ``entries`` pairs of ``size`` bytes together, each at most ``seconds`` old.

    Not safe to share between threads.
    """

    def __init__(self, entries: int, size: int, seconds: float) -> None:
        self.entries, self.limit, self.seconds = entries, size, seconds
        self.size = 0
        self._waiting: OrderedDict[Key, Waiting[Request, Response]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def put_request(self, key: Key, half: Request, size: int, now: float) -> Response | None:
        """Keep a request and return its response, if that was there before."""
        entry = self._entry(key, size, now)
        entry.request = half
        return entry.response

    def put_response(self, key: Key, half: Response, size: int, now: float) -> Request | None:
        """Keep a response and return its request, if that was there before."""
        entry = self._entry(key, size, now)
        entry.response = half
        return entry.request

    def get(self, key: Key) -> Waiting[Request, Response]:
        """Return what waits under ``key``."""
        return self._waiting[key]

    def remove(self, key: Key) -> None:
        """Forget what waits under ``key``."""
        self.size -= self._waiting.pop(key).size

    def due(self, now: float) -> tuple[Key, str] | None:
        """Return a pair that can wait no longer, and why: EVICTED or EXPIRED.

        The oldest go first, save that one larger than all room pushes no other out.
        """
        if not self._waiting:
            return None
        newest, oldest = next(reversed(self._waiting)), next(iter(self._waiting))
        if self._waiting[newest].size > self.limit:
            return newest, EVICTED
        if len(self._waiting) > self.entries or self.size > self.limit:
            return oldest, EVICTED
        return (oldest, EXPIRED) if self._waiting[oldest].since + self.seconds <= now else None

    def keys(self) -> list[Key]:
        """Return what waits, oldest first."""
        return list(self._waiting)

    def _entry(self, key: Key, size: int, now: float) -> Waiting[Request, Response]:
        entry = self._waiting.setdefault(key, Waiting(now))
        entry.size += size
        self.size += size
        return entry
