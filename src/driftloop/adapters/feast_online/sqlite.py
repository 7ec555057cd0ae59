"""Feast's SQLite store with newest-wins writes; readers are never kept waiting."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_table_id
from feast.infra.online_stores.sqlite import SqliteOnlineStore, SqliteOnlineStoreConfig

from driftloop.adapters.feast_online import by_feature, reading
from driftloop.adapters.feast_online.by_feature import RowPerFeature, Written
from driftloop.adapters.feast_online.reading import Read, Row

BUSY_SECONDS = 30.0
"""How long a writer waits for another one."""
MOST_KEYS = 10_000
"""Keys that one statement asks for; SQLite takes 32,766 parameters."""


class NewestSqliteOnlineStoreConfig(SqliteOnlineStoreConfig):  # type: ignore[misc]
    """As Feast's SQLite store."""

    type: Literal["driftloop.adapters.feast_online.sqlite.NewestSqliteOnlineStore"] = (
        "driftloop.adapters.feast_online.sqlite.NewestSqliteOnlineStore"
    )


class NewestSqliteOnlineStore(RowPerFeature, SqliteOnlineStore):  # type: ignore[misc]
    """Feast's tables; ``event_ts`` and ``created_ts`` hold microseconds since 1970."""

    _conn: sqlite3.Connection | None
    # Statements that overlap on one connection keep reading what the first of them saw.
    _reading = threading.Lock()

    def _get_conn(self, config: RepoConfig) -> sqlite3.Connection:
        if self._conn is None:
            path = Path(self._get_db_path(config))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._conn = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
            # Readers see the last commit while a writer works; by default they would wait.
            self._conn.execute("PRAGMA journal_mode = WAL")
            self._conn.execute("PRAGMA synchronous = NORMAL")
        return self._conn

    def upsert(self, config: RepoConfig, view: FeatureView, rows: list[Written]) -> None:
        """Write the rows that are newer than what is there, all of them or none."""
        with self._get_conn(config) as connection:
            connection.executemany(_upsert(_table(config, view)), rows)

    def read_views(self, config: RepoConfig, reads: Sequence[Read]) -> list[dict[bytes, Row]]:
        """Return the stored row of each key that there is, for every one of ``reads``."""
        found: list[dict[bytes, Row]] = [{} for _ in reads]
        for part in reading.parts(reads, MOST_KEYS):
            for read, rows in zip(found, self._read(config, part), strict=True):
                read |= rows
        return found

    def _read(self, config: RepoConfig, reads: Sequence[Read]) -> list[dict[bytes, Row]]:
        found: list[list[tuple[bytes, str, bytes, int]]] = [[] for _ in reads]
        selects = " UNION ALL ".join(
            f"SELECT {number}, entity_key, feature_name, value, event_ts "
            f"FROM {_table(config, read.view)} "
            f"WHERE entity_key IN ({', '.join('?' * len(read.keys))})"
            for number, read in enumerate(reads)
        )
        keys = [key for read in reads for key in read.keys]
        with self._reading:
            rows = self._get_conn(config).execute(selects, keys).fetchall()
        for number, *row in rows:
            found[number].append(tuple(row))
        return [by_feature.rows(rows) for rows in found]

    def progress(self, config: RepoConfig, view: FeatureView) -> tuple[str, int]:
        """Return the job that ``view`` was last materialized by, and the rows it had written."""
        query = f"SELECT value FROM {_table(config, view)} WHERE entity_key = ?"
        found = self._get_conn(config).execute(query, (reading.NOTE,)).fetchone()
        return reading.noted(found[0] if found else None)

    def note_progress(self, config: RepoConfig, view: FeatureView, job: str, rows: int) -> None:
        """Remember how many rows of ``view`` the materialization ``job`` has written."""
        row = (reading.NOTE, "", reading.note(job, rows))
        columns = "entity_key, feature_name, value"
        with self._get_conn(config) as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO {_table(config, view)} ({columns}) VALUES (?, ?, ?)", row
            )


def _table(config: RepoConfig, view: FeatureView) -> str:
    versions = config.registry.enable_online_feature_view_versioning
    name: str = compute_table_id(config.project, view, versions)
    return '"' + name.replace('"', '""') + '"'


def _upsert(table: str) -> str:
    return (
        f"INSERT INTO {table} AS stored (entity_key, feature_name, value, event_ts, created_ts) "
        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (entity_key, feature_name) DO UPDATE SET "
        "value = excluded.value, event_ts = excluded.event_ts, created_ts = excluded.created_ts "
        "WHERE (excluded.event_ts, excluded.created_ts) >= (stored.event_ts, stored.created_ts)"
    )
