"""Seen: which events were taken already, in bounded memory."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

SIZE = 200_000
"""Events remembered; an older delivery that is repeated counts as new."""


class Seen:
    """The newest ``size`` (source, id) pairs, as digests of 16 bytes each."""

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, source: str, event_id: str) -> bool:
        """Remember the event; return whether it is new.

        >>> seen = Seen()
        >>> seen.add("/s", "1"), seen.add("/s", "1")
        (True, False)
        """
        key = digest(source, event_id)
        if key in self._digests:
            return False
        self.remember(key)
        return True

    def has(self, key: bytes) -> bool:
        """Return whether the event with this digest was taken."""
        return key in self._digests

    def remember(self, key: bytes) -> None:
        """Remember the event with this digest, and forget the oldest beyond the size."""
        self._digests[key] = None
        if len(self._digests) > self.size:
            self._digests.popitem(last=False)


def digest(source: str, event_id: str, part: int = 0) -> bytes:
    """Return what stands for a part of an event, (source, id) and its number, in 16 bytes.

    The number is the hash's salt, so no id that a sender makes up is another event's part.

    >>> digest("/s", "x", 1) == digest("/s", "x#1"), digest("/s", "x", 0) == digest("/s", "x")
    (False, True)
    """
    # A lone surrogate is legal in JSON and has no UTF-8 form.
    text = f"{len(source)} {source}{event_id}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16, salt=part.to_bytes(8)).digest()
