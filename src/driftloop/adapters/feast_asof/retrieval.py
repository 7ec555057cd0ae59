"""A request for features as of many times, on one DuckDB connection."""

from __future__ import annotations

import warnings
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from feast.infra.offline_stores.offline_store import RetrievalMetadata

from driftloop.adapters.feast_asof.entities import EntityRows, duration, instant
from driftloop.adapters.feast_asof.job import AsofRetrievalJob, Times
from driftloop.adapters.feast_asof.join import (
    CREATED,
    EVENT,
    ROW,
    ROWS,
    View,
    event,
    point_in_time,
    quoted,
)
from driftloop.adapters.feast_asof.keys import aligned
from driftloop.adapters.feast_asof.request import Request
from driftloop.adapters.feast_asof.source import Source
from driftloop_contracts.errors import InvalidInput

TOLD = 0.05
"""The share of entity rows that lose a value by the cut-off, above which it is told."""
TIMESTAMP = "event_timestamp"
MISSING = "rows_without_a_value"


class Retrieval:
    """The sources of a request; ``folder``: what their paths are relative to."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, folder: Any, request: Request, cutoff: bool
    ) -> None:
        self._connection, self._folder = connection, folder
        self._request, self._cutoff = request, cutoff
        self._sources = [self._open(view) for view in request.views]

    def _open(self, view: Any) -> Source:
        """Open the view's source and check that it has what is asked for."""
        batch, where = view.batch_source, f"feature view '{view.name}'"
        mapping = (batch.field_mapping if batch is not None else None) or {}
        source = Source(self._connection, batch, self._folder, where, mapping)
        source.needs(ours for ours, _ in self._request.keys(view))
        source.needs(column for column, _ in self._request.features(view))
        source.fine(batch.timestamp_field)
        if batch.created_timestamp_column:
            source.fine(batch.created_timestamp_column)
        return source

    def at(self, entities: EntityRows, on_demand: list[Any]) -> AsofRetrievalJob:
        """Return the job of the features that were known at each of ``entities``."""
        unit = self._unit(entities)
        keys = entities.keys(self._request.all_keys(), unit)
        for view, source in zip(self._request.views, self._sources, strict=True):
            keys = aligned(keys, self._request.keys(view), source)
        self._connection.register(ROWS, keys)
        views = self._views(entities, unit)

        def finish(result: pa.Table) -> tuple[pa.Table, Times]:
            if self._cutoff:
                self._tell(result, keys, views)
            names = [event(n) for n in range(len(views))]
            times = {view.name: result[name] for view, name in zip(views, names, strict=True)}
            if unit == "ns":
                times = {view: pc.divide(column, 1000) for view, column in times.items()}
            return entities.with_features(result.drop_columns([ROW, *names])), times

        others = [name for name in entities.table.column_names if name != entities.time]
        metadata = RetrievalMetadata(self._request.references, others, *entities.span())
        return AsofRetrievalJob(
            self._connection,
            point_in_time(views, self._cutoff),
            finish,
            self._folder,
            metadata,
            tuple(on_demand),
            self._request.full_names,
        )

    def over(self, span: tuple[datetime, datetime], on_demand: list[Any]) -> AsofRetrievalJob:
        """Return the job of the features at each (join keys, time) of a feature row in ``span``."""
        keys = self._request.all_keys()
        parts = []
        for view, source in zip(self._request.views, self._sources, strict=True):
            ours = self._request.keys(view)
            if ours and {theirs for _, theirs in ours} != set(keys):
                allowed = "the same for all views, or an entity_df given"
                raise InvalidInput("join keys", f"feature view '{view.name}'", allowed, dict(ours))
            if keys and not ours:
                continue  # It has a value for whichever rows the others have.
            field = view.batch_source.timestamp_field
            unit = "ns" if source.fine(field) else "us"
            columns = [f"{quoted(a)} AS {quoted(b)}" for a, b in ours]
            columns.append(f"make_timestamp_ns({source.instant(field, 'ns')}) AS {TIMESTAMP}")
            first, last = (instant(moment, unit) for moment in span)
            parts.append(source.select(columns, (first, last), field, unit))
        order = ", ".join([TIMESTAMP, *map(quoted, keys)])
        rows = f"SELECT DISTINCT * FROM ({' UNION ALL BY NAME '.join(parts)}) ORDER BY {order}"
        table: pa.Table = self._connection.sql(rows).to_arrow_table()
        place = table.column_names.index(TIMESTAMP)
        times = table[TIMESTAMP].cast(pa.timestamp("ns", "UTC"))
        return self.at(EntityRows(table.set_column(place, TIMESTAMP, times), TIMESTAMP), on_demand)

    def _unit(self, entities: EntityRows) -> str:
        """Return the finest unit that a timestamp of the request needs."""
        fine = entities.fine
        for view, source in zip(self._request.views, self._sources, strict=True):
            batch = view.batch_source
            columns = filter(None, (batch.timestamp_field, batch.created_timestamp_column))
            fine = fine or any(source.fine(column) for column in columns)
        return "ns" if fine else "us"

    def _views(self, entities: EntityRows, unit: str) -> list[View]:
        """Return the views of the join, each with the rows of its source that matter."""
        times = pc.min_max(entities.instants(unit)).as_py()
        views = []
        for view, source in zip(self._request.views, self._sources, strict=True):
            batch, ttl = view.batch_source, duration(view.ttl, unit) if view.ttl else 0
            keys, features = self._request.keys(view), self._request.features(view)
            names = dict.fromkeys(column for pairs in (keys, features) for column, _ in pairs)
            columns = [*map(quoted, names)]
            columns.append(f"{source.instant(batch.timestamp_field, unit)} AS {EVENT}")
            created = batch.created_timestamp_column
            if created:
                columns.append(f"{source.instant(created, unit)} AS {CREATED}")
            # Rows out of these bounds are never a value: in the future of all, or expired for all.
            first = times["min"] - ttl if ttl and len(entities.table) else None
            relation = source.select(columns, (first, times["max"]), batch.timestamp_field, unit)
            name = view.projection.name_to_use()
            views.append(View(name, f"({relation})", keys, features, ttl, bool(created)))
        return views

    def _tell(self, result: pa.Table, keys: pa.Table, views: list[View]) -> None:
        """Warn of each view of which the cut-off takes many values."""
        least = TOLD * len(keys)
        for n, view in enumerate(views):
            missing = keys.filter(pc.is_null(result[event(n)]))
            if not view.created or len(missing) <= least:
                continue
            self._connection.register(MISSING, missing)
            known = point_in_time([view], cutoff=False, rows=MISSING)
            query = f"SELECT count({event(0)}) FROM ({known})"
            lost = self._connection.execute(query).fetchall()[0][0]
            if lost > least:
                warnings.warn(
                    f"Feature view '{view.name}': {lost / len(keys):.1%} of the entity rows have "
                    "no value, because the rows that would count were created after their time.",
                    stacklevel=2,
                )
