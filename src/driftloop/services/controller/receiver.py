"""Receiver: takes CloudEvents over HTTP and puts them aside for the controller, nothing more."""

from __future__ import annotations

import queue

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftloop_contracts import cloudevent
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput

MAX_BODY = 1 << 20
"""Largest event accepted, in bytes."""
MAX_WAITING = 1000
"""Events put aside before senders are told to come back later."""


def create_app(inbox: queue.Queue[CloudEvent]) -> Starlette:
    """Return the app that puts each event POSTed to / into ``inbox`` and answers 202."""

    async def receive(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return _refused(413, f"The body must be at most {MAX_BODY} bytes.")
        try:
            inbox.put_nowait(cloudevent.from_http(request.headers, body))
        except InvalidInput as error:
            return _refused(400, str(error))
        except queue.Full:
            return _refused(503, "The controller is busy; send the event again.")
        return Response(status_code=202)

    async def healthz(_: Request) -> Response:
        return Response("ok")

    return Starlette(routes=[Route("/", receive, methods=["POST"]), Route("/healthz", healthz)])


def _refused(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)
