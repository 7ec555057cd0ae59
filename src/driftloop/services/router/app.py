"""The router's app: forward, count what is in flight, and change backends without a loss."""

from __future__ import annotations

import asyncio
import hmac
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftloop.services.listener import MAX_BODY
from driftloop.services.router import split

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
CANARY_TIMEOUT = httpx.Timeout(10.0, connect=2.0)
"""Shorter, for the one in service is asked after it."""
REQUEST_ID = "x-request-id"
Clients = tuple[httpx.AsyncClient, httpx.AsyncClient]


@dataclass(eq=False)
class Backend:
    """Where requests go; ``idle`` is set while none is in flight."""

    url: str
    version: str
    in_flight: int = 0
    unanswered: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.idle.set()

    def told(self) -> dict[str, Any]:
        """Return what the router's status says of it."""
        own = {"in_flight": self.in_flight, "unanswered": self.unanswered}
        return {"version": self.version} | own

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
    """Forwards to one backend, or to two by the entity asked for.

    ``token``: what a switch must bear; ``clients``: for the backend in service and for a canary,
    apart, so that one that hangs takes no connection of the other's; ``entity``: the column that
    names whom a request is about.
    """

    def __init__(self, token: str, clients: Clients, entity: str = "") -> None:
        self._token, self._clients, self._entity = token, clients, entity
        self.backend: Backend | None = None
        self.canary: Backend | None = None
        self.share = 0.0
        self.failed = 0

    async def forward(self, request: Request) -> Response:
        """Answer with what the backend answers."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return _error(413, f"The body must be at most {MAX_BODY} bytes.")
        headers = {k: v for k, v in request.headers.items() if k not in HOP_BY_HOP}
        # So that a request that is asked twice leaves one record's ids.
        headers.setdefault(REQUEST_ID, uuid.uuid4().hex)
        # From here to busy() nothing is awaited, so a switch sees this request in flight.
        backend = self._chosen(request, body)
        if backend is None:
            return _error(503, "No model is in service yet.")
        async with backend.busy():
            answer = await self._ask(backend, request, body, headers)
        failed = answer is None or answer.status_code >= 500
        if failed and backend is not self.backend and self.backend:
            # A candidate that fails costs nobody an answer.
            async with self.backend.busy():
                answer = await self._ask(self.backend, request, body, headers)
        return answer or self._unanswered()

    def _chosen(self, request: Request, body: bytes) -> Backend | None:
        if self.canary is None:
            return self.backend
        entity = request.headers.get(split.HEADER) or split.entity_of(body, self._entity)
        return self.canary if split.place(entity) < self.share else self.backend

    async def _ask(
        self, backend: Backend, request: Request, body: bytes, headers: dict[str, str]
    ) -> Response | None:
        """Return the backend's answer, or None without one."""
        url = f"{backend.url}{request.url.path}"
        query = request.url.query.encode()
        try:
            answer = await self._clients[backend is self.canary].request(
                request.method, httpx.URL(url, query=query), headers=headers, content=body
            )
        except httpx.HTTPError:
            backend.unanswered += 1
            return None
        kept = {k: v for k, v in answer.headers.items() if k not in HOP_BY_HOP}
        return Response(answer.content, answer.status_code, kept)

    def _unanswered(self) -> Response:
        self.failed += 1
        return _error(502, "The model server did not answer.")

    async def switch(self, request: Request) -> Response:
        """Send new requests elsewhere; answer when what is left out is idle.

        The body names the backend (url, version) and maybe a canary (url, version, share).
        """
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return _error(401, "A switch needs the router's token.")
        try:
            wanted = await request.json()
            stable, canary, share = self._wanted(wanted)
        except (ValueError, KeyError, TypeError):
            return _error(400, "The body must be a JSON object with url and version.")
        left = [one for one in (self.backend, self.canary) if one and one not in (stable, canary)]
        self.backend, self.canary, self.share = stable, canary, share
        drained = sum(one.in_flight for one in left)
        for one in left:
            await one.idle.wait()
        return JSONResponse({"drained": drained})

    def _wanted(self, wanted: Any) -> tuple[Backend, Backend | None, float]:
        """Return the backends that a switch names: those of now where they are the same."""
        stable = self._known(wanted)
        told = wanted.get("canary")
        if not told:
            return stable, None, 0.0
        share = float(told["share"])
        if not 0 < share < 1:
            raise ValueError("a share between 0 and 1")
        return stable, self._known(told), share

    def _known(self, told: Any) -> Backend:
        url, version = str(told["url"]), str(told["version"])
        same = (
            b for b in (self.backend, self.canary) if b and (b.url, b.version) == (url, version)
        )
        return next(same, None) or Backend(url, version)

    async def status(self, _: Request) -> Response:
        """Say where requests go."""
        told = self.backend.told() if self.backend else {"version": None, "in_flight": 0}
        canary = self.canary.told() | {"share": self.share} if self.canary else None
        return JSONResponse(told | {"failed": self.failed, "canary": canary})


def create_app(token: str, entity: str = "") -> Starlette:
    """Return the router's app; ``entity``: the column by which two bundles share the traffic."""
    clients = httpx.AsyncClient(timeout=TIMEOUT), httpx.AsyncClient(timeout=CANARY_TIMEOUT)
    router = Router(token, clients, entity)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with clients[0], clients[1]:
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
