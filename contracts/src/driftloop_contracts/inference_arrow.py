"""Inference records as one Arrow IPC stream: the binary form of an inference event.

The stream is a schema and one record batch, neither compressed nor with metadata. Every row
carries its own event time, so that one event may hold the records of many requests. Source:
Apache Arrow, columnar format 1.5, IPC streaming.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "application/vnd.apache.arrow.stream"
"""Content type of an inference event in binary mode whose data are an Arrow stream."""

OWN_COLUMNS = {
    "loop": "string",
    "bundle_version": "string",
    "pod_uid": "string",
    "seq": "int64",
    "event_time": "timestamp[us, tz=UTC]",
    "prediction_id": "string",
    "prediction": "double",
    "weight": "double",
    "latency_ms": "double",
    "stands_for": "double",
}
"""The columns of every stream with their types; only a prediction may be null.

``loop``, ``bundle_version`` and ``pod_uid`` hold one value each throughout a stream.
"""
ENTITY_KEYS, FEATURES, FEATURE_TIMES = "entity_keys", "features", "feature_times"
GROUPS = {
    ENTITY_KEYS: ("int64", "string"),
    FEATURES: ("double", "string"),
    FEATURE_TIMES: ("timestamp[us, tz=UTC]",),
}
"""Struct columns with the types their fields may have; one without a field is left out.

A field is null where the value is missing. The structs mean what InferenceBatch's mappings do.
"""


def to_stream(columns: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return a stream of Arrow arrays; ``groups``: by struct column, its fields.

    >>> import pyarrow as pa
    >>> content = to_stream({"seq": pa.array([7, 8])}, {"features": {"x": pa.array([0.5, None])}})
    >>> pa.ipc.open_stream(content).read_all().to_pylist()
    [{'seq': 7, 'features': {'x': 0.5}}, {'seq': 8, 'features': {'x': None}}]
    """
    # Not above: who only speaks JSON needs no Arrow.
    import pyarrow as pa

    structs = {
        name: pa.StructArray.from_arrays(list(fields.values()), list(fields))
        for name, fields in groups.items()
        if fields
    }
    batch = pa.RecordBatch.from_pydict({**columns, **structs})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content
