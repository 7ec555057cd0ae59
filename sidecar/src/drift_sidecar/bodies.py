"""Bodies: the requests whose bodies are in memory, bounded in number and in bytes.

Beyond the bound a request is refused and read to its end without keeping it, so that its sender
hears of it on a connection that goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from driftloop_contracts.errors import DriftloopError

MAX_BODY = 32 << 20
"""Largest request body, in bytes."""
MAX_BYTES = 32 << 20
"""Bytes of all bodies together: one of the largest, or hundreds of the usual ones."""
MAX_REQUESTS = 64
"""Requests at once."""


class TooLarge(DriftloopError):
    """A body beyond MAX_BODY."""


class Crowded(DriftloopError):
    """No room for another body at present."""


class Bodies:
    """What is in memory now; for one event loop only."""

    def __init__(self) -> None:
        self.requests, self.bytes = 0, 0

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[bytes]:
        """Read a request's body, and make room for another when the caller is done with it.

        Raise TooLarge or Crowded.
        """
        is_one_more = self.requests >= MAX_REQUESTS
        held = _Held(self, is_one_more)
        self.requests += not is_one_more
        try:
            yield await held.read(request)
        finally:
            self.requests -= not is_one_more
            held.drop()


class _Held:
    """One body, as far as it is in memory."""

    def __init__(self, bodies: Bodies, is_refused: bool) -> None:
        self.bodies, self.is_refused = bodies, is_refused
        self.size, self.chunks = 0, list[bytes]()

    async def read(self, request: Request) -> bytes:
        said, came = request.headers.get("content-length", ""), 0
        if said.isdigit() and int(said[:20]) > MAX_BODY:
            raise _too_large()
        async for chunk in request.stream():
            came += len(chunk)
            if came > MAX_BODY:
                raise _too_large()
            self.take(chunk)
        if self.is_refused:
            raise Crowded("The sidecar has as much in hand as it can hold; send it again later.")
        chunks, self.chunks = self.chunks, []
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def take(self, chunk: bytes) -> None:
        """Hold a chunk as it comes, for a promise alone takes no room; let all go without room."""
        if self.is_refused or self.bodies.bytes + len(chunk) > MAX_BYTES:
            self.is_refused = True
            self.drop()
            return
        self.bodies.bytes += len(chunk)
        self.size += len(chunk)
        self.chunks.append(chunk)

    def drop(self) -> None:
        """Make the room free."""
        self.bodies.bytes -= self.size
        self.size = 0
        self.chunks.clear()


def _too_large() -> TooLarge:
    return TooLarge(f"The body must be at most {MAX_BODY} bytes.")
