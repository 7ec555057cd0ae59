"""The HTTP face: CloudEvents in, health and counts out."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from drift_sidecar import grid, metrics, record_stream
from drift_sidecar.bodies import Bodies, Crowded, TooLarge
from drift_sidecar.intake import kserve
from drift_sidecar.intake.intake import Intake
from drift_sidecar.intake.options import Options
from drift_sidecar.monitor import Busy, Foreign, Monitor
from driftloop_contracts import (
    cloudevent,
    event_types,
    inference,
    inference_arrow,
    raw_event,
    times,
)
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import DriftloopError, InvalidInput, StoreUnavailable

log = logging.getLogger(__name__)

DELIVERY_PATIENCE = 30.0
"""Seconds that a watermark's answer waits for the sink."""
STATUS: dict[type[DriftloopError], int] = {
    InvalidInput: 400,
    Foreign: 409,
    TooLarge: 413,
    Busy: 503,
    Crowded: 503,
    StoreUnavailable: 503,
}
RETRY = {"retry-after": "1"}
"""What comes with 503: the seconds after which a sender may try again."""


REASONS: dict[type[DriftloopError], str] = {
    InvalidInput: "content",
    Foreign: "foreign",
    TooLarge: "too_large",
    Busy: "busy",
    Crowded: "busy",
}
"""How refusals are counted; any other one is the store's."""


def create_app(monitor: Monitor, intake: Intake | None = None) -> Starlette:
    """Return the app: POST / takes events; GET /healthz, /readyz, /status and /metrics answer.

    GET /v1/metrics and /protocol are what alibi-detect-server had.
    """
    took, bodies = intake or Intake(monitor, Options(), "logger"), Bodies()

    async def receive(request: Request) -> Response:
        try:
            async with bodies.of(request) as body:
                return await run_in_threadpool(_answer, monitor, took, request.headers, body)
        except DriftloopError as error:
            return _refused(took, STATUS.get(type(error), 500), error)
        except OSError as error:
            return _refused(took, 503, _busy(error))
        except ClientDisconnect:
            return Response(status_code=400)

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def status(_: Request) -> Response:
        return JSONResponse(_status(monitor, took))

    async def told(_: Request) -> Response:
        text = metrics.text(_status(monitor, took))
        return Response(text, media_type=metrics.CONTENT_TYPE)

    async def protocol(_: Request) -> Response:
        return PlainTextResponse(took.options.protocol)

    return Starlette(
        routes=[
            Route("/", receive, methods=["POST"]),
            Route("/healthz", healthy),
            Route("/readyz", healthy),
            Route("/status", status),
            Route("/metrics", told),
            Route("/v1/metrics", told),
            Route("/protocol", protocol),
        ]
    )


def _status(monitor: Monitor, intake: Intake) -> dict[str, Any]:
    own = intake.status()
    return monitor.status() | {"rejected": sum(own["refused"].values()), "intake": own}


def _answer(monitor: Monitor, intake: Intake, headers: Headers, body: bytes) -> Response:
    if cloudevent.content_type(headers) == inference_arrow.CONTENT_TYPE:
        return _take_stream(monitor, headers, body)
    if intake.is_seldon(headers):
        return JSONResponse({"duplicate": not intake.take_seldon(headers, body)})
    raw = raw_event.from_http(headers, body)
    if raw.type in kserve.TYPES:  # 200: KServe's agent takes any other status for an error
        return JSONResponse({"duplicate": not intake.take(raw, headers)})
    event = raw.to_event()
    if event.type == event_types.INFERENCE:
        is_new = monitor.take(event.source, event.id, _batch(event))
        return JSONResponse({"duplicate": not is_new}, status_code=202)
    if event.type == event_types.WATERMARK:
        intake.settle(_event_time(event))
        return JSONResponse(_close(monitor, event))
    allowed = f"'{event_types.INFERENCE}', '{event_types.WATERMARK}' or one of KServe's logger"
    raise InvalidInput("type", "an event for the sidecar", allowed, event.type)


def _take_stream(monitor: Monitor, headers: Headers, body: bytes) -> Response:
    event = cloudevent.from_dict(cloudevent.header_attributes(headers))
    if event.type != event_types.INFERENCE:
        raise InvalidInput("type", record_stream.WHERE, f"'{event_types.INFERENCE}'", event.type)
    is_new = monitor.take_stream(event.source, event.id, body)
    return JSONResponse({"duplicate": not is_new}, status_code=202)


def _batch(event: CloudEvent) -> inference.InferenceBatch:
    try:
        return inference.from_data(event.data)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput("data", "an inference event", "a batch", str(error)) from error


def _close(monitor: Monitor, event: CloudEvent) -> dict[str, Any]:
    """Close windows up to the watermark; answer once their events reached the sink."""
    told = monitor.close(grid.seconds(_event_time(event)))
    monitor.outbox.drain(DELIVERY_PATIENCE)
    scored = [one for one in told if one.type == event_types.WINDOW_SCORED]
    return {"windows": len(scored), "events": [one.to_dict() for one in told]}


def _event_time(event: CloudEvent) -> datetime:
    return times.from_text(event.data.get("event_time"), "event_time", "a watermark")


def _busy(error: OSError) -> Busy:
    log.warning("The disk refused: %s", error)
    return Busy("The sidecar's disk takes nothing; send the event again later.")


def _refused(intake: Intake, status: int, error: DriftloopError) -> Response:
    intake.reject(REASONS.get(type(error), "store"))
    # A message may repeat half of a character that somebody sent.
    sentence = str(error).encode("utf-8", "replace").decode()
    return JSONResponse({"error": sentence}, status, RETRY if status == 503 else None)
