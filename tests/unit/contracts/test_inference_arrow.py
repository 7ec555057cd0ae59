"""The Arrow form of an inference event: read back as written, and no burden to who needs none."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa

from driftloop_contracts import event_types, inference_arrow
from driftloop_contracts.cloudevent import CloudEvent, content_type, from_dict, header_attributes
from driftloop_contracts.inference_arrow import GROUPS, OWN_COLUMNS, to_stream

INSTANT = pa.timestamp("us", "UTC")
COLUMNS = {
    "loop": pa.array(["ads-ctr", "ads-ctr"]),
    "bundle_version": pa.array(["1-abc", "1-abc"]),
    "pod_uid": pa.array(["p", "p"]),
    "seq": pa.array([7, 8]),
    "event_time": pa.array([0, 1], INSTANT),
    "prediction_id": pa.array(["a", "b"]),
    "prediction": pa.array([0.5, None]),
    "weight": pa.array([1.0, 2.0]),
    "latency_ms": pa.array([1.5, 1.5]),
    "stands_for": pa.array([1.0, 2.0]),
}
FIELDS = {
    "entity_keys": {"ad_id": pa.array([1, 2])},
    "features": {"position": pa.array([1.0, None]), "device": pa.array(["a", None])},
    "feature_times": {},
}


def test_a_stream_is_read_back_as_it_was_written() -> None:
    reader = pa.ipc.open_stream(to_stream(COLUMNS, FIELDS))
    batch = reader.read_next_batch()
    assert next(reader, None) is None
    assert {name: str(batch[name].type) for name in OWN_COLUMNS} == OWN_COLUMNS
    assert {name: batch[name].to_pylist() for name in COLUMNS} == {
        name: values.to_pylist() for name, values in COLUMNS.items()
    }
    assert batch["features"].to_pylist() == [
        {"position": 1.0, "device": "a"},
        {"position": None, "device": None},
    ]
    types = {
        str(field.type) for group in ("entity_keys", "features") for field in batch[group].type
    }
    assert types <= {kind for kinds in GROUPS.values() for kind in kinds}


def test_a_group_without_a_field_is_left_out() -> None:
    schema = pa.ipc.open_stream(to_stream(COLUMNS, FIELDS)).schema
    assert set(schema.names) == {*COLUMNS, "entity_keys", "features"}
    assert schema.metadata is None


def test_the_events_attributes_travel_as_headers() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    event = CloudEvent("é 1", "/predictor/p", event_types.INFERENCE, at, {})
    headers = event.to_headers(inference_arrow.CONTENT_TYPE)
    assert content_type(headers) == inference_arrow.CONTENT_TYPE
    assert from_dict(header_attributes(headers)) == event


def test_the_contract_is_imported_without_arrow() -> None:
    script = (
        "import sys; from driftloop_contracts import inference_arrow;"
        "sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
