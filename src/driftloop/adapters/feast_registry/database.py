"""The registry's database: its tables, and the lock that the writers of a project take in turn."""

from __future__ import annotations

import hashlib

from feast.infra.registry.sql import SqlRegistryConfig, metadata
from sqlalchemy import Connection, create_engine, inspect, text

from driftloop_contracts.errors import InvalidInput

LOCK = text(
    "SELECT set_config('idle_in_transaction_session_timeout', '60s', true), "
    "pg_advisory_xact_lock(hashtext('feast registry'), :project)"
)
"""Held until the transaction ends, by commit, error, or its connection's end."""


def lock(connection: Connection, project: str) -> None:
    """Wait until no other transaction has the lock of ``project``, and take it."""
    number = hashlib.blake2b(project.encode(), digest_size=4).digest()
    connection.execute(LOCK, {"project": int.from_bytes(number, "big", signed=True)})


def prepare(config: SqlRegistryConfig) -> None:
    """Make the tables before Feast does: two that make them at the same time would fail.

    Raise InvalidInput for a database that knows no such lock.
    """
    engine = create_engine(config.path, **config.sqlalchemy_config_kwargs)
    if engine.dialect.name != "postgresql":
        allowed = "postgresql+psycopg:// where 'locked' is true"
        raise InvalidInput("registry.path", "feature_store.yaml", allowed, engine.dialect.name)
    if config.schema_mode == "auto" and set(metadata.tables) - {*inspect(engine).get_table_names()}:
        with engine.begin() as connection:
            lock(connection, "")
            metadata.create_all(connection)
    engine.dispose()
