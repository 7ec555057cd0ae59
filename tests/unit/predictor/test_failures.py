"""What a rollout counts as a failed request."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from driftloop.services.predictor.counters import Counters
from driftloop.services.predictor.failures import Failures


async def answer(request: Request) -> Response:
    status = int(request.path_params["status"])
    if status == 0:
        raise ZeroDivisionError("no model divides by this")
    return Response(status_code=status)


@pytest.mark.parametrize(
    ("method", "status", "failed"),
    [("POST", 200, 0), ("POST", 400, 0), ("POST", 500, 1), ("POST", 503, 1), ("POST", 0, 1)]
    + [("GET", 503, 0), ("GET", 0, 0)],
)
def test_an_answer_of_500_and_above_to_a_prediction_has_failed(
    method: str, status: int, failed: int
) -> None:
    counters = Counters()
    inner = Starlette(routes=[Route("/{status}", answer, methods=["GET", "POST"])])
    client = TestClient(Failures(inner, counters.failed), raise_server_exceptions=False)
    client.request(method, f"/{status}")
    arm = counters.arm()
    assert (arm.failed, arm.requests) == (failed, failed)
