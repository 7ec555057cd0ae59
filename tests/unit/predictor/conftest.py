"""Records, and sidecars that answer as they are told: real servers on real ports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from driftloop.services.predictor.record import Origin, Record

ORIGIN = Origin("ads-ctr", "0001-a", "pod-1", {"relevance": "numeric", "device": "categorical"})


def make_record(seq: int = 0, rows: int = 1, weight: float = 1.0, **changes: Any) -> Record:
    """Return the record of one request whose first row has this sequence number."""
    fields: dict[str, Any] = {
        "first_seq": seq,
        "event_time": datetime(2012, 4, 1, tzinfo=UTC),
        "latency_ms": 1.5,
        "ids": [f"id-{seq + i}" for i in range(rows)],
        "keys": {"ad_id": np.arange(rows)},
        "features": {
            "relevance": np.full(rows, 0.5),
            "device": np.full(rows, "mobile", dtype=object),
        },
        "times": {"stats": [None] * rows},
        "predictions": [0.25] * rows,
        "weights": np.full(rows, weight),
    }
    return Record(**(fields | changes))


class Sidecar:
    """A server that answers with ``statuses`` in turn, then 202; 0 closes without an answer.

    ``events``: of each request its id, its status and, taken or not, its rows.
    """

    def __init__(self, statuses: list[int], unfit: Callable[[Any], bool], delay: float) -> None:
        self.events: list[tuple[str, int, list[dict[str, Any]]]] = []
        sidecar = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                time.sleep(delay)
                rows = pa.ipc.open_stream(body).read_all().to_pylist()
                status = statuses.pop(0) if statuses else 400 if any(map(unfit, rows)) else 202
                sidecar.events.append((self.headers["ce-id"], status, rows))
                self.close_connection = not status
                if status:
                    self.send_response(status)
                    self.send_header("content-length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def taken(self) -> list[dict[str, Any]]:
        return [row for _, status, rows in self.events if status == 202 for row in rows]


class Given:
    """The names above, as one fixture: test files cannot import a conftest."""

    origin = ORIGIN
    record = staticmethod(make_record)


@pytest.fixture
def given() -> type[Given]:
    return Given


@pytest.fixture
def make_sidecar() -> Iterator[Callable[..., Sidecar]]:
    made: list[Sidecar] = []

    def make(
        *statuses: int, unfit: Callable[[Any], bool] = lambda row: False, delay: float = 0.0
    ) -> Sidecar:
        made.append(Sidecar(list(statuses), unfit, delay))
        return made[-1]

    yield make
    for sidecar in made:
        sidecar.server.shutdown()
        sidecar.server.server_close()
