"""Materialization: a view's newest rows copied to the online store, resumed where it was killed.

The rows are read in one order, so that how many were written says where to go on. The job's name
is a digest of the rows themselves: other rows are another job, the same ones are not written
twice. An online store that lost its data lost that note as well.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import pyarrow as pa
from feast import FeatureStore, utils
from feast.infra.registry.sql import SqlRegistry

BATCH = 10_000
"""Rows that are written at once; a kill repeats at most so many."""


def copy(store: FeatureStore, view: Any, start: datetime, end: datetime) -> int:
    """Copy each entity's newest row with ``start`` <= event time <= ``end``.

    Return how many rows were written. A row older than what the online store holds changes
    nothing. Readers see each entity's old or new row, and are never kept waiting. A SQL registry
    is told once all of them are there.
    """
    online, rows = store._get_provider().online_store, _latest(store, view, start, end)
    job = _digest(rows)
    known, written = online.progress(store.config, view)
    first = written if known == job else 0
    kinds = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
    done = first
    for batch in rows.slice(first).to_batches(max_chunksize=BATCH):
        protos = utils._convert_arrow_to_proto(batch, view, kinds)
        online.online_write_batch(store.config, view, protos, None)
        done += batch.num_rows
        online.note_progress(store.config, view, job, done)
    record(store, view, start, end)
    return done - first


def record(store: FeatureStore, view: Any, start: datetime, end: datetime) -> None:
    """Tell a SQL registry what was copied, so that ``feast materialize-incremental`` goes on there.

    A file registry is one process's own, and is not told.
    """
    if isinstance(store.registry, SqlRegistry):
        store.registry.apply_materialization(view, store.project, start, end)


def _latest(store: FeatureStore, view: Any, start: datetime, end: datetime) -> pa.Table:
    """Return the rows in order of their keys, each column in one piece and under its own name."""
    source = view.batch_source
    keys, features, event, created = utils._get_column_names(
        view, [store.registry.get_entity(name, store.project) for name in view.entities]
    )
    offline = store._get_provider().offline_store
    job = offline.pull_latest_from_table_or_query(
        store.config, source, keys, features, event, created, start, end
    )
    rows = utils._run_pyarrow_field_mapping(job.to_arrow(), source.field_mapping or {})
    for column in view.entity_columns:
        rows = rows.filter(rows[column.name].is_valid())  # A null key is nobody's.
    order = [(column.name, "ascending") for column in view.entity_columns]
    return rows.sort_by(order).combine_chunks()


def _digest(rows: pa.Table) -> str:
    sink = _Digest()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), rows.schema) as stream:
        stream.write_table(rows)
    return sink.digest.hexdigest()


class _Digest:
    """A file that keeps nothing but the digest of what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.digest = hashlib.blake2b(digest_size=16)

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return len(content)

    def flush(self) -> None:
        """Hold nothing back."""

    def close(self) -> None:
        """Keep the digest."""
