"""Records: an inference batch as Arrow columns, checked value by value, and as parquet.

Every row that is taken has its final type from here on, so closing a window cannot fail on
what somebody sent.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop_contracts.category import text
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import LOOKED_UP, MAX_WEIGHT, InferenceBatch

WHERE = "an inference batch"
OWN_COLUMNS = (
    "prediction_id",
    "event_time",
    "bundle_version",
    "pod_uid",
    "seq",
    "prediction",
    "weight",
    "latency_ms",
    "stands_for",
)
"""Columns every record has; a feature or key of such a name is refused."""
MAX_SEQ = 2**62
"""Beyond this a sequence number is nonsense, and would not fit its column."""
NUMBER = {int, float, bool, type(None)}
FLOAT = {float, type(None)}
CATEGORY = {str, int, float, bool, type(None)}
KEY: tuple[set[type], set[type]] = ({str, type(None)}, {int, type(None)})
"""Types a column of numbers, of categories and of one entity's keys may hold."""


def from_batch(batch: InferenceBatch, kinds: Mapping[str, str]) -> pa.RecordBatch:
    """Return the batch's records; raise InvalidInput for a value no column can hold.

    ``kinds``: the kind of each feature, tested or not; the batch must have these and no other.
    """
    _check_names(batch, kinds)
    try:
        return _convert(batch, kinds)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput("a value", WHERE, "one that its column can hold", reason) from error


def to_parquet(batches: Sequence[pa.RecordBatch]) -> bytes:
    """Return the records of ``batches`` as one parquet file, in the order they came."""
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    mixed = _mixed(tables)
    table = pa.concat_tables([_as_text(t, mixed) for t in tables], promote_options="default")
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _check_names(batch: InferenceBatch, kinds: Mapping[str, str]) -> None:
    for name in sorted(set(kinds) ^ set(batch.features)):
        allowed = "present" if name in kinds else "one that the bundle's baseline names"
        raise InvalidInput(
            f"feature {name[:80]!r}", WHERE, allowed, "nothing" if name in kinds else name
        )
    names = {*batch.features, *batch.entity_keys}
    own = {*OWN_COLUMNS, *(f"{view}{LOOKED_UP}" for view in batch.feature_times)}
    for name in sorted(names & own):
        raise InvalidInput("a column's name", WHERE, f"none of {', '.join(sorted(own))}", name)
    if not 0 <= batch.first_seq <= MAX_SEQ:
        raise InvalidInput("first_seq", WHERE, f"from 0 to {MAX_SEQ}", batch.first_seq)
    if not math.isfinite(batch.latency_ms):
        raise InvalidInput("latency_ms", WHERE, "a finite number", batch.latency_ms)


def _convert(batch: InferenceBatch, kinds: Mapping[str, str]) -> pa.RecordBatch:
    rows = len(batch)
    weights = _numbers("weights", batch.weights)
    if weights.null_count or not all(0 <= weight <= MAX_WEIGHT for weight in batch.weights):
        raise InvalidInput("weights", WHERE, f"from 0 to {MAX_WEIGHT:g}", "one that is not")
    _check_types("prediction_ids", batch.prediction_ids, {str}, "text")
    first = batch.first_seq
    columns = {
        "prediction_id": pa.array(batch.prediction_ids, pa.string()),
        "event_time": pa.repeat(pa.scalar(batch.event_time, pa.timestamp("us", "UTC")), rows),
        "bundle_version": pa.repeat(batch.bundle_version, rows),
        "pod_uid": pa.repeat(batch.pod_uid, rows),
        "seq": pa.array(np.arange(first, first + rows, dtype=np.int64)),
    }
    keys = {n: _key(n, values) for n, values in batch.entity_keys.items() if n not in kinds}
    features = {name: _feature(name, kind, batch.features[name]) for name, kind in kinds.items()}
    times = {f"{view}{LOOKED_UP}": _times(view, v) for view, v in batch.feature_times.items()}
    closing = {
        "prediction": _numbers("predictions", batch.predictions),
        "weight": weights,
        "latency_ms": pa.repeat(batch.latency_ms, rows),
        "stands_for": pa.repeat(1.0, rows),
    }
    return pa.RecordBatch.from_pydict(columns | keys | features | times | closing)


def _feature(name: str, kind: str, values: list[Any]) -> pa.Array:
    if kind == "numeric":
        return _numbers(f"feature {name!r}", values)
    _check_types(f"feature {name!r}", values, CATEGORY, "text, whole numbers or null")
    if set(map(type, values)) <= KEY[0]:
        return pa.array(values, pa.string())
    # A frame's missing category is NaN: its own inequality tells it from every value.
    return pa.array([None if v is None or v != v else text(v) for v in values], pa.string())


def _key(name: str, values: list[Any]) -> pa.Array:
    found = set(map(type, values))
    if not any(found <= kind for kind in KEY):
        raise InvalidInput(f"entity key {name[:80]!r}", WHERE, "all text or all integers", values)
    return pa.array(values)


def _times(view: str, values: list[Any]) -> pa.Array:
    _check_types(f"feature_times {view[:80]!r}", values, KEY[1], "microseconds or null")
    return pa.array(values, pa.timestamp("us", "UTC"))


def _numbers(what: str, values: list[Any]) -> pa.Array:
    """Return float64 with null for None and NaN; the list is read once, for most hold one row."""
    _check_types(what, values, NUMBER, "finite numbers or null")
    if math.inf in values or -math.inf in values:
        raise InvalidInput(what, WHERE, "finite numbers or null", "an infinite one")
    if not set(map(type, values)) <= FLOAT:
        values = [None if value is None else float(value) for value in values]
    return pa.array(values, pa.float64(), from_pandas=True)


def _check_types(what: str, values: list[Any], kinds: set[type], allowed: str) -> None:
    if not set(map(type, values)) <= kinds:
        odd = next(value for value in values if type(value) not in kinds)
        raise InvalidInput(what, WHERE, allowed, odd)


def _mixed(tables: Sequence[pa.Table]) -> set[str]:
    """Return the columns that are text in one table and integers in another."""
    kinds: dict[str, set[str]] = {}
    for table in tables:
        for field in table.schema:
            if not pa.types.is_null(field.type):
                kinds.setdefault(field.name, set()).add(str(field.type))
    return {name for name, found in kinds.items() if len(found) > 1}


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for name in sorted(names & set(table.column_names)):
        column = table.schema.get_field_index(name)
        table = table.set_column(column, name, table[name].cast(pa.string()))
    return table
