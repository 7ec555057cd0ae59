"""A small bundle, the traffic that fits it, and a sink that listens on a real port."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftloop_contracts import event_types, inference_arrow, times
from driftloop_contracts.baseline import Baseline, FeatureBaseline
from driftloop_contracts.bundle import BASELINE, MANIFEST, MODEL, REFERENCE, Manifest, digest
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.inference import InferenceBatch, prediction_id
from driftloop_contracts.object_store import FileStore

LOOP, VERSION = "ads-ctr", "0001-abcdef12"
HOUR = 3600
BASELINE_OF_TESTS = Baseline(
    loop=LOOP,
    window_seconds=HOUR,
    min_rows=50,
    level=0.001,
    features=(
        FeatureBaseline("relevance", "numeric", 0.1, 0.1, varies=True, low=-8, high=8),
        FeatureBaseline("device", "categorical", 0.1, 0.1, varies=True, categories=("a", "b")),
    ),
)


def draw(rows: int, seed: int, shift: float = 0.0) -> dict[str, list[Any]]:
    """Return feature columns from the distribution the reference has, moved by ``shift``."""
    rng = np.random.default_rng(seed)
    device = rng.choice(["a", "b"], size=rows, p=[0.6, 0.4])
    return {"relevance": (rng.normal(size=rows) + shift).tolist(), "device": device.tolist()}


def at(hour: float) -> datetime:
    """Return the instant that many hours after a round one."""
    return datetime.fromtimestamp(1333238400 + hour * HOUR, UTC)


def batch_event(
    rows: int, hour: float, seq: int = 0, *, shift: float = 0.0, **changes: Any
) -> CloudEvent:
    """Return an inference event of ``rows`` rows; ``changes`` replace fields of its data."""
    data = InferenceBatch(
        loop=LOOP,
        bundle_version=VERSION,
        pod_uid="pod-1",
        first_seq=seq,
        event_time=at(hour),
        latency_ms=1.5,
        prediction_ids=[prediction_id("request", seq + i) for i in range(rows)],
        entity_keys={"ad_id": list(range(rows))},
        features=draw(rows, seed=seq + 1, shift=shift),
        predictions=[0.25] * rows,
        weights=[1.0] * rows,
    ).to_data()
    return CloudEvent(
        f"batch-{seq}", "/predictor/pod-1", event_types.INFERENCE, at(hour), data | changes
    )


def stream_arrays(
    rows: int, hours: list[float], seq: int = 0, shift: float = 0.0
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return an inference event's Arrow columns and groups, ``rows`` rows at each hour."""
    n = rows * len(hours)
    drawn = draw(n, seed=seq + 1, shift=shift)
    instants = [at(hour) for hour in hours for _ in range(rows)]
    columns = {
        "loop": pa.repeat(LOOP, n),
        "bundle_version": pa.repeat(VERSION, n),
        "pod_uid": pa.repeat("pod-1", n),
        "seq": pa.array(range(seq, seq + n), pa.int64()),
        "event_time": pa.array(instants, pa.timestamp("us", "UTC")),
        "prediction_id": pa.array(
            [prediction_id("request", seq + i) for i in range(n)], pa.string()
        ),
        "prediction": pa.repeat(0.25, n),
        "weight": pa.repeat(1.0, n),
        "latency_ms": pa.repeat(1.5, n),
        "stands_for": pa.repeat(1.0, n),
    }
    groups = {
        "entity_keys": {"ad_id": pa.array(range(n), pa.int64())},
        "features": {
            "relevance": pa.array(drawn["relevance"], pa.float64()),
            "device": pa.array(drawn["device"], pa.string()),
        },
        "feature_times": {"stats": pa.array([0] * n, pa.timestamp("us", "UTC"))},
    }
    return columns, groups


def stream_headers(seq: int = 0) -> dict[str, str]:
    """Return the headers of an inference event whose body is an Arrow stream."""
    event = CloudEvent(f"batch-{seq}", "/predictor/pod-1", event_types.INFERENCE, at(0), {})
    return event.to_headers(inference_arrow.CONTENT_TYPE)


def watermark_event(hour: float) -> CloudEvent:
    """Return the event that says no record older than ``hour`` will follow."""
    data = {"event_time": times.to_text(at(hour))}
    return CloudEvent(f"mark-{hour}", "/replay", event_types.WATERMARK, at(hour), data)


def put_bundle(
    store: FileStore,
    baseline: Baseline = BASELINE_OF_TESTS,
    columns: dict[str, list[Any]] | None = None,
) -> None:
    """Write a bundle whose manifest holds."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns or draw(2000, seed=0)), sink)
    files = {MODEL: b"model", BASELINE: baseline.to_json(), REFERENCE: sink.getvalue()}
    digests = {name: digest(content) for name, content in files.items()}
    manifest = Manifest(LOOP, VERSION, "2012-04-01T00:00:00Z", {}, digests)
    for name, content in {**files, MANIFEST: manifest.to_json()}.items():
        store.put(f"bundles/{LOOP}/{VERSION}/{name}", content)


class Contract:
    """The names above, as one fixture: test files cannot import a conftest."""

    loop, version, baseline = LOOP, VERSION, BASELINE_OF_TESTS
    at, draw = staticmethod(at), staticmethod(draw)
    batch, watermark = staticmethod(batch_event), staticmethod(watermark_event)
    put_bundle = staticmethod(put_bundle)
    arrays, headers = staticmethod(stream_arrays), staticmethod(stream_headers)


@pytest.fixture
def given() -> type[Contract]:
    return Contract


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    found = FileStore(tmp_path / "store")
    put_bundle(found)
    return found


class Sink:
    """An HTTP server that keeps the events it was sent; it first refuses ``refusals``."""

    def __init__(self, refusals: list[int]) -> None:
        self.received: list[tuple[dict[str, str], Any]] = []
        self.stalled, self._go = threading.Event(), threading.Event()
        """``stalled``: a request is here that has no answer."""
        self._go.set()
        self._takes = True
        sink = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = refusals.pop(0) if refusals else 202
                takes = sink._takes or sink._go.is_set()
                if status < 300 and takes:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    sink.received.append((headers, json.loads(body)))
                if not sink._go.is_set():
                    sink.stalled.set()
                    sink._go.wait(60)
                    return  # whoever asked is gone
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stall(self, takes: bool) -> None:
        """Answer nothing from now on; ``takes``: keep the events all the same."""
        self._takes = takes
        self._go.clear()

    def go_on(self) -> None:
        """Answer again."""
        self._go.set()

    @property
    def types(self) -> list[str]:
        return [headers["ce-type"] for headers, _ in self.received]


@pytest.fixture
def make_sink() -> Iterator[Callable[..., Sink]]:
    sinks: list[Sink] = []

    def make(*refusals: int) -> Sink:
        sinks.append(Sink(list(refusals)))
        return sinks[-1]

    yield make
    for sink in sinks:
        sink.server.shutdown()
        sink.server.server_close()
