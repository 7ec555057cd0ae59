"""The router's app: forward, count what is in flight, and switch the backend without a loss."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftloop.services.listener import MAX_BODY

HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "host",
    "content-length",
}
"""Headers that concern one connection only (RFC 9110, 7.6.1), and those set anew."""
TIMEOUT = httpx.Timeout(60.0, connect=5.0)


@dataclass
class Backend:
    """Where requests go; ``idle`` is set while none is in flight."""

    url: str
    version: str
    in_flight: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Count one request while the block runs."""
        self.in_flight += 1
        self.idle.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self.idle.set()


class Router:
    """Forwards to one backend; ``token`` is what a switch must bear."""

    def __init__(self, token: str, client: httpx.AsyncClient) -> None:
        self._token, self._client = token, client
        self.backend: Backend | None = None
        self.failed = 0

    async def forward(self, request: Request) -> Response:
        """Answer with what the backend answers."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return _error(413, f"The body must be at most {MAX_BODY} bytes.")
        # From here to busy() nothing is awaited, so a switch sees this request in flight.
        backend = self.backend
        if backend is None:
            return _error(503, "No model is in service yet.")
        async with backend.busy():
            return await self._ask(backend, request, body)

    async def _ask(self, backend: Backend, request: Request, body: bytes) -> Response:
        headers = {k: v for k, v in request.headers.items() if k not in HOP_BY_HOP}
        url = f"{backend.url}{request.url.path}"
        query = request.url.query.encode()
        try:
            answer = await self._client.request(
                request.method, httpx.URL(url, query=query), headers=headers, content=body
            )
        except httpx.HTTPError as error:
            self.failed += 1
            return _error(502, f"The model server did not answer: {type(error).__name__}.")
        kept = {k: v for k, v in answer.headers.items() if k not in HOP_BY_HOP}
        return Response(answer.content, answer.status_code, kept)

    async def switch(self, request: Request) -> Response:
        """Send all new requests to another backend; answer when the old one is idle."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return _error(401, "A switch needs the router's token.")
        try:
            wanted = await request.json()
            new = Backend(str(wanted["url"]), str(wanted["version"]))
        except (ValueError, KeyError, TypeError):
            return _error(400, "The body must be a JSON object with url and version.")
        old, self.backend = self.backend, new
        drained = old.in_flight if old else 0
        if old:
            await old.idle.wait()
        return JSONResponse({"drained": drained})

    async def status(self, _: Request) -> Response:
        """Say where requests go."""
        backend = self.backend
        version = backend.version if backend else None
        in_flight = backend.in_flight if backend else 0
        return JSONResponse({"version": version, "in_flight": in_flight, "failed": self.failed})


def create_app(token: str) -> Starlette:
    """Return the router's app."""
    client = httpx.AsyncClient(timeout=TIMEOUT)
    router = Router(token, client)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def backend(request: Request) -> Response:
        return await (router.switch(request) if request.method == "PUT" else router.status(request))

    return Starlette(
        routes=[
            Route("/driftloop/backend", backend, methods=["GET", "PUT"]),
            Route("/{path:path}", router.forward, methods=["GET", "POST"]),
        ],
        lifespan=lifespan,
    )


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)
