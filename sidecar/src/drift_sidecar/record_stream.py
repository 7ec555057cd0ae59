"""Record stream: an inference event's Arrow form as records, checked column by column.

What somebody sends is read without a copy and without trust: one uncompressed record batch of
the contract's types (driftloop_contracts/inference_arrow.py), whose buffers are what they claim
to be. So it takes no more memory than its body, and every row has its final type.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drift_sidecar import grid
from drift_sidecar.records import MAX_SEQ, OWN_COLUMNS
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import LOOKED_UP, MAX_ROWS, MAX_WEIGHT
from driftloop_contracts.inference_arrow import (
    ENTITY_KEYS,
    FEATURE_TIMES,
    FEATURES,
    GROUPS,
)
from driftloop_contracts.inference_arrow import OWN_COLUMNS as OF_STREAM

WHERE = "an Arrow inference event"
MAX_HEADER = 256 << 10
"""Largest description of a schema or a batch, in bytes: thousands of columns."""
SHARED = ("loop", "bundle_version", "pod_uid")
"""Columns that hold one value throughout a stream."""


@dataclass(frozen=True)
class RecordStream:
    """The records of one event; they share the loop, the bundle and the pod."""

    loop: str
    bundle_version: str
    pod_uid: str
    rows: pa.RecordBatch


def read(body: bytes, kinds: Mapping[str, str]) -> RecordStream:
    """Return the event's records; raise InvalidInput for anything but the contract's.

    ``kinds``: the kind of each feature, tested or not; the stream must have these and no other.
    """
    try:
        batch = _batch(body)
        return _checked(batch, kinds)
    except (pa.ArrowException, OSError, ValueError, OverflowError, struct.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput("the body", WHERE, "one Arrow IPC stream", reason) from error


def _batch(body: bytes) -> pa.RecordBatch:
    """Return the stream's one batch, whose every offset, length and character was checked."""
    messages = pa.ipc.MessageReader.open_stream(pa.BufferReader(body))
    schema = pa.ipc.read_schema(_message(messages, "schema"))
    _check_types(schema)
    message = _message(messages, "record batch")
    if _is_compressed(message.metadata.to_pybytes()):
        raise InvalidInput("a record batch", WHERE, "uncompressed", "a compressed one")
    batch = pa.ipc.read_record_batch(message, schema)
    batch.validate(full=True)
    if not 0 < batch.num_rows <= MAX_ROWS:
        raise InvalidInput("a record batch", WHERE, f"of 1 to {MAX_ROWS} rows", batch.num_rows)
    if batch.nbytes > len(body):
        raise InvalidInput("columns", WHERE, "apart from each other", "some that share bytes")
    if next(messages, None) is not None:
        raise InvalidInput("a stream", WHERE, "of one record batch", "more")
    return batch


def _message(messages: pa.ipc.MessageReader, kind: str) -> pa.ipc.Message:
    message = next(messages, None)
    if message is None or message.type != kind:
        raise InvalidInput("a message", WHERE, f"a {kind}", message and message.type)
    if message.metadata.size > MAX_HEADER:
        raise InvalidInput(f"a {kind}", WHERE, f"told in {MAX_HEADER} bytes", message.metadata.size)
    return message


def _is_compressed(header: bytes) -> bool:
    """Return whether a record batch's message names a compression; Arrow allocates what it claims.

    Source: Arrow's Message.fbs: field 2 of a Message is its RecordBatch, whose field 3 it is.
    """
    message = struct.unpack_from("<I", header)[0]
    at = _field(header, message, 2)
    batch = at + struct.unpack_from("<I", header, at)[0]
    return bool(_field(header, batch, 3) != batch)


def _field(header: bytes, table: int, number: int) -> int:
    """Return where a flatbuffer table has its field, or the table's own place without it."""
    vtable = table - struct.unpack_from("<i", header, table)[0]
    size: int = struct.unpack_from("<H", header, vtable)[0]
    entry = 4 + 2 * number
    offset: int = struct.unpack_from("<H", header, vtable + entry)[0] if entry < size else 0
    return table + offset


def _check_types(schema: pa.Schema) -> None:
    fields = {field.name: field for field in schema}
    for name in sorted(fields.keys() ^ OF_STREAM.keys()):
        if name in OF_STREAM or name not in GROUPS:
            allowed = "present" if name in OF_STREAM else "absent: no such column"
            raise InvalidInput(f"column {name[:80]!r}", WHERE, allowed, fields.get(name))
    if len(fields) < len(schema) or schema.metadata:
        raise InvalidInput("a schema", WHERE, "without metadata and repeated names", "one with")
    for name, kind in OF_STREAM.items():
        _check_type(fields[name], (kind,))
    for name in GROUPS.keys() & fields.keys():
        _check_group(fields[name], GROUPS[name])


def _check_group(group: pa.Field, kinds: tuple[str, ...]) -> None:
    if not pa.types.is_struct(group.type) or group.metadata:
        raise InvalidInput(f"column {group.name!r}", WHERE, "a struct without metadata", group.type)
    inner = list(group.type)
    if len({field.name for field in inner}) < len(inner):
        raise InvalidInput(f"column {group.name!r}", WHERE, "without repeated names", "one with")
    for field in inner:
        _check_type(field, kinds)


def _check_type(field: pa.Field, kinds: tuple[str, ...]) -> None:
    if str(field.type) not in kinds or field.metadata:
        allowed = f"{' or '.join(kinds)} without metadata"
        raise InvalidInput(f"column {field.name[:80]!r}", WHERE, allowed, str(field.type))


def _checked(batch: pa.RecordBatch, kinds: Mapping[str, str]) -> RecordStream:
    for name in OF_STREAM:
        if name != "prediction" and batch[name].null_count:
            raise InvalidInput(f"column {name!r}", WHERE, "without nulls", "some")
    _check_bounds(batch, "weight", 0.0, MAX_WEIGHT)
    _check_bounds(batch, "stands_for", 1.0, MAX_WEIGHT)
    _check_bounds(batch, "latency_ms", -1e12, 1e12)
    _check_bounds(batch, "seq", 0, MAX_SEQ)
    loop, bundle_version, pod_uid = (_one(batch, name) for name in SHARED)
    return RecordStream(loop, bundle_version, pod_uid, _rows(batch, kinds))


def _check_bounds(batch: pa.RecordBatch, name: str, low: float, high: float) -> None:
    values = batch[name].to_numpy()
    if not ((values >= low) & (values <= high)).all():
        raise InvalidInput(
            f"column {name!r}", WHERE, f"from {low:g} to {high:g}", "one that is not"
        )


def _one(batch: pa.RecordBatch, name: str) -> str:
    first = batch[name][0]
    if not pc.all(pc.equal(batch[name], first)).as_py():
        raise InvalidInput(f"column {name!r}", WHERE, "one value in every row", "several")
    text: str = first.as_py()
    return text


def _rows(batch: pa.RecordBatch, kinds: Mapping[str, str]) -> pa.RecordBatch:
    """Return the records as records.from_batch makes them: the same columns in the same order."""
    keys, features, times = (
        _fields(batch, group) for group in (ENTITY_KEYS, FEATURES, FEATURE_TIMES)
    )
    _check_names(keys, features, times, kinds)
    looked_up = {f"{view}{LOOKED_UP}": values for view, values in times.items()}
    own = {name: batch[name] for name in OWN_COLUMNS[:5]}
    closing = {name: batch[name] for name in OWN_COLUMNS[5:]}
    closing["prediction"] = _numbers("prediction", batch["prediction"])
    values = {name: _feature(name, kind, features[name]) for name, kind in kinds.items()}
    keys = {name: column for name, column in keys.items() if name not in kinds}
    return pa.RecordBatch.from_pydict({**own, **keys, **values, **looked_up, **closing})


def _fields(batch: pa.RecordBatch, group: str) -> dict[str, pa.Array]:
    if group not in batch.schema.names:
        return {}
    column = batch[group]
    if column.null_count:
        raise InvalidInput(f"column {group!r}", WHERE, "without nulls", "some")
    names = [field.name for field in column.type]
    return dict(zip(names, column.flatten(), strict=True))


def _check_names(
    keys: Mapping[str, Any],
    features: Mapping[str, Any],
    times: Mapping[str, Any],
    kinds: Mapping[str, str],
) -> None:
    for name in sorted(kinds.keys() ^ features.keys()):
        allowed = "present" if name in kinds else "one that the bundle's baseline names"
        got = "nothing" if name in kinds else name
        raise InvalidInput(f"feature {name[:80]!r}", WHERE, allowed, got)
    own = {*OWN_COLUMNS, *(f"{view}{LOOKED_UP}" for view in times)}
    for name in sorted({*keys, *features} & own):
        raise InvalidInput("a column's name", WHERE, f"none of {', '.join(sorted(own))}", name)
    if len(own) < len(OWN_COLUMNS) + len(times):
        raise InvalidInput("a feature view's name", WHERE, "not that of a column", sorted(times))


def _feature(name: str, kind: str, values: pa.Array) -> pa.Array:
    wanted = "double" if kind == "numeric" else "string"
    if str(values.type) != wanted:
        raise InvalidInput(f"feature {name[:80]!r}", WHERE, wanted, str(values.type))
    return _numbers(f"feature {name[:80]!r}", values) if kind == "numeric" else values


def _numbers(what: str, values: pa.Array) -> pa.Array:
    """Return finite numbers, with null for NaN; raise InvalidInput for an infinity."""
    numbers = values.to_numpy(zero_copy_only=False)
    if np.isfinite(numbers).all():
        return values
    if np.isinf(numbers).any():
        raise InvalidInput(what, WHERE, "finite numbers or null", "an infinite one")
    return (
        pa.array(numbers, from_pandas=True)
        if np.isnan(numbers).sum() > values.null_count
        else values
    )


def by_cell(rows: pa.RecordBatch, length: int) -> list[tuple[pa.RecordBatch, int]]:
    """Return the rows of each cell of the grid with the newest second in it, oldest cell first.

    Raise InvalidInput for an event time that no grid has.
    """
    micros = rows["event_time"].cast(pa.int64()).to_numpy()
    for extreme in (micros.min(), micros.max()):
        grid.check(int(extreme) // 1_000_000)
    seconds = micros // 1_000_000
    cells = seconds - seconds % length
    found = np.unique(cells)
    if len(found) == 1:
        return [(rows, int(seconds.max()))]
    parts = ((cell, cells == cell) for cell in found)
    return [(rows.filter(pa.array(own)), int(seconds[own].max())) for _, own in parts]
