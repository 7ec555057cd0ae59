"""Events as KServe's payload logger sends them, and an app whose clock the test turns."""

import io
import json
import struct
from contextlib import ExitStack

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from drift_sidecar import app
from drift_sidecar.intake.intake import Intake
from drift_sidecar.intake.kserve import REQUEST, RESPONSE
from drift_sidecar.intake.options import Options
from drift_sidecar.process import create_monitor
from drift_sidecar.settings import Settings
from driftloop_contracts import times
from driftloop_contracts.cloudevent import STRUCTURED

SOURCE = "http://localhost:9081/"


def headers(kind, event_id, time, content_type="application/json", **more):
    """Return the headers that KServe's agent sends with an event."""
    return {
        "user-agent": "Go-http-client/1.1",
        "ce-specversion": "1.0",
        "ce-type": kind,
        "ce-id": event_id,
        "ce-source": SOURCE,
        "ce-time": times.to_text(time),
        "ce-recordedtime": times.to_text(time),
        "ce-inferenceservicename": "ads",
        "ce-namespace": "default",
        "ce-component": "predictor",
        "ce-endpoint": "",
        "ce-metadata": "{}",
        "content-type": content_type,
    } | more


def binary(tensors):
    """Return a V2 body whose tensors, (name, shape, datatype, bytes), follow the JSON."""
    listed = [
        {"name": n, "shape": s, "datatype": d, "parameters": {"binary_data_size": len(data)}}
        for n, s, d, data in tensors
    ]
    content = {"id": "requête 1", "inputs": listed}
    return json.dumps(content, ensure_ascii=False).encode() + b"".join(t[3] for t in tensors)


def texts(*values):
    """Return BYTES elements, each after its length."""
    encoded = [value if isinstance(value, bytes) else value.encode() for value in values]
    return b"".join(struct.pack("<I", len(value)) + value for value in encoded)


class Side:
    """A sidecar in process: events in, and what its log says afterwards."""

    request, response = REQUEST, RESPONSE
    headers, binary, texts = staticmethod(headers), staticmethod(binary), staticmethod(texts)

    def __init__(self, store, given, running, **options):
        self.store, self.given, self.time = store, given, 0.0
        self.monitor = create_monitor(Settings(store.uri, given.loop, given.version))
        self.intake = Intake(
            self.monitor, Options(**options), "pod-x", lambda: self.time, lambda: given.at(0.5)
        )
        client = TestClient(app.create_app(self.monitor, self.intake))
        self.client = running.enter_context(client)

    def post(self, kind, body, event_id="1", hour=0.5, content_type="application/json", **more):
        content = body if isinstance(body, bytes) else json.dumps(body)
        sent = headers(kind, event_id, self.given.at(hour), content_type, **more)
        return self.client.post("/", content=content, headers=sent)

    def post_structured(self, kind, event_id="1", **data):
        event = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": kind}
        event |= {"time": times.to_text(self.given.at(0.5)), "inferenceservicename": "ads"}
        sent = {"content-type": STRUCTURED}
        return self.client.post("/", content=json.dumps(event | data), headers=sent)

    @property
    def counts(self):
        return self.client.get("/status").json()["intake"]

    def logged(self):
        """End the intake and return every row of the log."""
        self.intake.finish()
        self.monitor.finish()
        keys = self.store.list("inference/")
        tables = [pq.read_table(io.BytesIO(self.store.get(key))) for key in keys]
        return [row for table in tables for row in table.to_pylist()]


@pytest.fixture
def make_side(store, given):
    with ExitStack() as running:  # one event loop for all requests of a test
        yield lambda **options: Side(store, given, running, **options)


@pytest.fixture
def side(make_side):
    return make_side(entity_keys=("ad_id",))
