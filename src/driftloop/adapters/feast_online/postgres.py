"""Feast's Postgres store with newest-wins writes, and connections that survive a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from feast import FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import compute_table_id
from feast.infra.online_stores.postgres_online_store.postgres import (
    PostgreSQLOnlineStore,
    PostgreSQLOnlineStoreConfig,
)
from feast.infra.utils.postgres.connection_utils import _get_conn_kwargs, _get_conninfo
from psycopg import Connection, sql
from psycopg_pool import ConnectionPool

from driftloop import instants
from driftloop.adapters.feast_online import reading
from driftloop.adapters.feast_online.reading import Read, Row, Written

NEWER = sql.SQL(
    "(excluded.event_ts, coalesce(excluded.created_ts, excluded.event_ts)) >= "
    "(stored.event_ts, coalesce(stored.created_ts, stored.event_ts))"
)


class NewestPostgresOnlineStoreConfig(PostgreSQLOnlineStoreConfig):  # type: ignore[misc]
    """As Feast's Postgres store; connections are pooled."""

    type: Literal["driftloop.adapters.feast_online.postgres.NewestPostgresOnlineStore"] = (
        "driftloop.adapters.feast_online.postgres.NewestPostgresOnlineStore"
    )


class NewestPostgresOnlineStore(PostgreSQLOnlineStore):  # type: ignore[misc]
    """Feast's tables and columns."""

    _pool: ConnectionPool[Connection[Any]] | None = None
    _opening = threading.Lock()

    @contextmanager
    def _get_conn(self, config: RepoConfig, autocommit: bool = False) -> Iterator[Connection[Any]]:
        with self._opening:
            self._pool = self._pool or _pool(config.online_store)
        with self._pool.connection() as connection:
            connection.set_autocommit(autocommit)
            yield connection

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Written],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write the rows that are newer than what is there, all of them or none."""
        rows = []
        for entity_key, values, event, created in data:
            key = serialize_entity_key(entity_key, config.entity_key_serialization_version)
            # With a zone: a naive time would be taken for one of the server's own zone.
            times = (
                instants.moment(instants.since_epoch(event)),
                instants.moment(instants.since_epoch(reading.known(created, event))),
            )
            rows += [(key, name, v.SerializeToString(), *times) for name, v in values.items()]
        # In one order, so that two writers of the same rows never wait for each other.
        rows.sort(key=lambda row: row[:2])
        with self._get_conn(config) as connection, connection.cursor() as cursor:
            cursor.executemany(_upsert(_table(config, table)), rows)
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[Any],
        requested_features: list[str] | None = None,
    ) -> list[Any]:
        """Return each entity's event time and values, as Feast's interface has it."""
        names = tuple(requested_features or [feature.name for feature in table.features])
        version = config.entity_key_serialization_version
        keys = tuple(serialize_entity_key(key, version) for key in entity_keys)
        return reading.of_one(self, config, Read(table, names, keys))

    def read_views(self, config: RepoConfig, reads: Sequence[Read]) -> list[dict[bytes, Row]]:
        """Return the stored row of each key that there is, for every one of ``reads``."""
        select = sql.SQL(
            "SELECT {}, entity_key, feature_name, value, "
            "(extract(epoch FROM event_ts) * 1000000)::bigint FROM {} WHERE entity_key = ANY(%s)"
        )
        selects = [
            select.format(sql.Literal(number), _table(config, read.view))
            for number, read in enumerate(reads)
        ]
        found: list[list[tuple[bytes, str, bytes, int]]] = [[] for _ in reads]
        keys = [list(read.keys) for read in reads]
        with self._get_conn(config, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(" UNION ALL ").join(selects), keys, binary=True)
            for number, *row in cursor:
                found[number].append(tuple(row))
        return [reading.rows(rows) for rows in found]

    def progress(self, config: RepoConfig, view: FeatureView) -> tuple[str, int]:
        """Return the job that ``view`` was last materialized by, and the rows it had written."""
        query = sql.SQL("SELECT value FROM {} WHERE entity_key = %s").format(_table(config, view))
        with self._get_conn(config, autocommit=True) as connection:
            found = connection.execute(query, (reading.NOTE,)).fetchone()
        return reading.noted(bytes(found[0]) if found else None)

    def note_progress(self, config: RepoConfig, view: FeatureView, job: str, rows: int) -> None:
        """Remember how many rows of ``view`` the materialization ``job`` has written."""
        query = sql.SQL(
            "INSERT INTO {} (entity_key, feature_name, value) VALUES (%s, '', %s) "
            "ON CONFLICT (entity_key, feature_name) DO UPDATE SET value = excluded.value"
        ).format(_table(config, view))
        with self._get_conn(config) as connection:
            connection.execute(query, (reading.NOTE, reading.note(job, rows)))

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def _table(config: RepoConfig, view: FeatureView) -> sql.Identifier:
    versions = config.registry.enable_online_feature_view_versioning
    return sql.Identifier(compute_table_id(config.project, view, versions))


def _upsert(table: sql.Identifier) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO {} AS stored (entity_key, feature_name, value, event_ts, created_ts) "
        "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (entity_key, feature_name) DO UPDATE SET "
        "value = excluded.value, event_ts = excluded.event_ts, created_ts = excluded.created_ts "
        "WHERE {}"
    ).format(table, NEWER)


def _pool(settings: Any) -> ConnectionPool[Connection[Any]]:
    return ConnectionPool(
        _get_conninfo(settings),
        min_size=settings.min_conn,
        max_size=settings.max_conn,
        kwargs=_get_conn_kwargs(settings),
        open=True,
        # One round trip, so that no request meets a connection that the server closed.
        check=ConnectionPool.check_connection,
    )
