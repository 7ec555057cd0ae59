"""What pods say of themselves is believed only as far as counters can have these values."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from driftloop.services.controller import pod_counters
from driftloop.services.predictor.counters import Counters
from driftloop_contracts.errors import InvalidInput


def told(**answered: Any) -> bytes:
    return json.dumps({"pod_uid": "a", "run": "1", "answered": answered}).encode()


def test_what_a_predictor_counts_is_believed() -> None:
    counters = Counters()
    for milliseconds in (0.0, 3.0, 250.0):
        counters.answered(milliseconds, [0.25, 0.5])
    counters.failed()
    counters.recorded(np.arange(6), np.linspace(0, 1, 6))
    arm = counters.arm()
    body = told(**arm.model_dump())
    assert pod_counters.read(body) == ("a/1", arm)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        told(requests=1, failed=2),
        told(requests=-1),
        told(requests="many"),
        told(requests=1, latency={"n": 2, "total": 0, "square": 0}),
        told(requests=9, latency={"n": -1, "total": 0, "square": 0}),
        told(requests=9, latency={"n": 2, "total": 9.0, "square": 1.0}),
        told(requests=9, prediction={"n": 2, "total": float("nan"), "square": 1.0}),
        told(requests=9, prediction={"n": 2, "total": 1.0, "square": float("inf")}),
        told(entities={"n": [1], "total": [1.0]}),
        told(entities={"n": [1] * 64, "total": [float("nan")] * 64}),
        told(entities={"n": [-1] * 64, "total": [1.0] * 64}),
        told(requests=9, latency={"n": 1, "total": 1e200, "square": 1e300}),
        told(requests=9, prediction={"n": 10**400, "total": 0, "square": 0}),
        told(requests=10**400),
        json.dumps({"pod_uid": "\ud800", "run": "1", "answered": {}}).encode(),
        json.dumps({"pod_uid": 7, "run": "1", "answered": {}}).encode(),
        json.dumps({"pod_uid": "a" * 300, "run": "1", "answered": {}}).encode(),
    ],
)
def test_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        pod_counters.read(body)
    assert pod_counters.of(["here"], lambda _: [body]) == {}


class Pod(BaseHTTPRequestHandler):
    body, pause = b"", 0.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        for byte in (self.body[n : n + 1] for n in range(len(self.body))):
            with suppress(OSError):
                self.wfile.write(byte)
            time.sleep(self.pause)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def pod() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pod) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_pods_are_asked_over_http_and_one_that_says_too_much_is_left_out(
    pod: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{pod.server_address[1]}"
    monkeypatch.setattr(Pod, "body", told(requests=3))
    found = pod_counters.of([address, "127.0.0.1:1", "no such:x"], pod_counters.ask)
    assert {name: arm.requests for name, arm in found.items()} == {"a/1": 3}
    monkeypatch.setattr(Pod, "body", told(requests=3) + b" " * pod_counters.MAX_BODY)
    assert pod_counters.of([address], pod_counters.ask) == {}
    assert pod_counters.ask([]) == []


def test_a_pod_that_answers_byte_by_byte_holds_nobody_up(
    pod: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pod, "body", told(requests=3))
    monkeypatch.setattr(Pod, "pause", 0.2)
    monkeypatch.setattr(pod_counters, "SECONDS", 0.5)
    began = time.monotonic()
    assert pod_counters.ask([f"127.0.0.1:{pod.server_address[1]}"]) == []
    assert time.monotonic() - began < 3
