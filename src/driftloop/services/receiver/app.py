"""The receiver's HTTP side: a CloudEvent in, a LoopEvent in the sender's namespace, 202 out.

It keeps no state of its own: any number of replicas may run, and what was answered with 202 lies
in the API server.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftloop.adapters.kubernetes_objects import Absent, Objects, Stale
from driftloop.adapters.unavailable import Unavailable
from driftloop.resources import loop_event
from driftloop.services.receiver import admission
from driftloop.services.receiver.admission import Refused, Sender
from driftloop.services.receiver.bucket import Buckets
from driftloop.services.receiver.tokens import Tokens
from driftloop_contracts import cloudevent
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput

MAX_BODY = 256 << 10
"""Largest event accepted, in bytes: an object of the API server holds it."""
BURST, PER_SECOND = 100, 5.0
"""Events a namespace may send at once, and in the long run."""

log = logging.getLogger("driftloop.receiver")


class Receiver:
    """Takes events for the loops of the namespaces their senders live in.

    ``senders``: the names of ServiceAccounts, and the parts of a loop that each speaks for.
    """

    def __init__(
        self,
        objects: Objects,
        senders: Mapping[str, tuple[str, ...]],
        clock: Callable[[], datetime],
    ) -> None:
        self._objects, self._senders, self._clock = objects, dict(senders), clock
        self._tokens = Tokens(objects, time.monotonic)
        self._buckets = Buckets(BURST, PER_SECOND)
        self.registry = CollectorRegistry()
        self._count = Counter(
            "driftloop_receiver_events", "Events by outcome.", ["outcome"], registry=self.registry
        )

    def authenticate(self, header: str) -> Sender:
        """Return who sends; raise Refused, also where its namespace sends too much."""
        found = admission.sender(self._tokens.username(header), self._senders)
        wait = self._buckets.take(found.namespace, time.monotonic())
        if wait:
            raise Refused(429, "rate", f"Send again in {math.ceil(wait)} s.")
        return found

    def take(self, event: CloudEvent, sender: Sender) -> None:
        """Keep ``event`` as a LoopEvent; one that is kept already stays as it is."""
        name = admission.loop_of(event, sender.parts, self._clock())
        try:
            loop = self._objects.get("LearningLoop", sender.namespace, name)
        except Absent:
            sentence = f"There is no LearningLoop {name} in the namespace {sender.namespace}."
            raise Refused(404, "loop", sentence) from None
        with suppress(Stale):
            content = loop_event.content(event, loop)
            self._objects.create("LoopEvent", sender.namespace, content)

    async def receive(self, request: Request) -> Response:
        """Answer one POST."""
        try:
            header = request.headers.get("authorization", "")
            found = await run_in_threadpool(self.authenticate, header)
            event = cloudevent.from_http(request.headers, await _body(request))
            await run_in_threadpool(self.take, event, found)
        except Refused as error:
            return self._refused(error)
        except InvalidInput as error:
            return self._refused(Refused(400, "event", str(error)))
        except Unavailable as error:
            log.warning("%s", error)
            sentence = "The API server does not answer; send the event again."
            return self._refused(Refused(503, "unavailable", sentence))
        self._count.labels("taken").inc()
        return Response(status_code=202)

    def _refused(self, error: Refused) -> Response:
        self._count.labels(error.reason).inc()
        log.warning("Refused (%s): %s", error.reason, error)
        headers = {"Retry-After": "10"} if error.status in (429, 503) else None
        return JSONResponse({"error": str(error)}, error.status, headers)


def create_app(receiver: Receiver) -> Starlette:
    """Return the app of ``receiver``: POST /, /healthz and /metrics."""

    async def healthz(_: Request) -> Response:
        return Response("ok")

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(receiver.registry), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/", receiver.receive, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/metrics", metrics),
        ]
    )


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refused(413, "size", f"The body must be at most {MAX_BODY} bytes.")
    return body
