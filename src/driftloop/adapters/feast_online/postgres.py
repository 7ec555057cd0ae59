"""Feast's Postgres store with newest-wins writes, and connections that survive a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_table_id
from feast.infra.online_stores.postgres_online_store.postgres import (
    PostgreSQLOnlineStore,
    PostgreSQLOnlineStoreConfig,
)
from feast.infra.utils.postgres.connection_utils import _get_conn_kwargs, _get_conninfo
from psycopg import Connection, sql
from psycopg_pool import ConnectionPool

from driftloop import instants
from driftloop.adapters.feast_online import by_feature, reading
from driftloop.adapters.feast_online.by_feature import RowPerFeature, Written
from driftloop.adapters.feast_online.reading import Read, Row

NEWER = sql.SQL(
    "(excluded.event_ts, coalesce(excluded.created_ts, excluded.event_ts)) >= "
    "(stored.event_ts, coalesce(stored.created_ts, stored.event_ts))"
)


class NewestPostgresOnlineStoreConfig(PostgreSQLOnlineStoreConfig):  # type: ignore[misc]
    """As Feast's Postgres store; connections are pooled."""

    type: Literal["driftloop.adapters.feast_online.postgres.NewestPostgresOnlineStore"] = (
        "driftloop.adapters.feast_online.postgres.NewestPostgresOnlineStore"
    )


class NewestPostgresOnlineStore(RowPerFeature, PostgreSQLOnlineStore):  # type: ignore[misc]
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

    def upsert(self, config: RepoConfig, view: FeatureView, rows: list[Written]) -> None:
        """Write the rows that are newer than what is there, all of them or none."""
        # With a zone: a naive time would be taken for one of the server's own zone. In one
        # order, so that two writers of the same rows never wait for each other.
        ordered = sorted(rows, key=lambda row: row[:2])
        timed = [(*row[:3], *map(instants.moment, row[3:])) for row in ordered]
        with self._get_conn(config) as connection, connection.cursor() as cursor:
            cursor.executemany(_upsert(_table(config, view)), timed)

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
        return [by_feature.rows(rows) for rows in found]

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
