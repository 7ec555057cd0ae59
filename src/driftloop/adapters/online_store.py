"""Online stores: where Feast keeps the newest values; SQLite in a folder, Redis or Postgres."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from driftloop_contracts.errors import InvalidInput

VARIABLE = "DRIFTLOOP_ONLINE_STORE"
"""Where it is: empty for SQLite, or redis[s]:// or postgresql://USER:PASSWORD@HOST[:PORT]/NAME."""
STORES = "driftloop.adapters.feast_online"
ALLOWED = "empty, redis://HOST:PORT/DATABASE or postgresql://USER@HOST:PORT/DATABASE"


def configuration(address: str, folder: Path) -> dict[str, Any]:
    """Return Feast's online_store setting for ``address``; SQLite lies in ``folder``.

    >>> configuration("rediss://:secret@redis", Path("."))["connection_string"]
    'redis:6379,password="secret",ssl=true'
    >>> configuration("postgresql://feast@db/features", Path("."))["sslmode"]
    'require'
    """
    if not address:
        path = str(folder / "online.db")
        return {"type": f"{STORES}.sqlite.NewestSqliteOnlineStore", "path": path}
    try:
        parts = urlsplit(address)
        settings = {"redis": _redis, "rediss": _redis, "postgresql": _postgres}[parts.scheme]
        return settings(parts)
    except (ValueError, KeyError):
        # The address may hold a password, so a message shows only how it begins.
        shown = address.partition(":")[0]
        raise InvalidInput(VARIABLE, "the environment", ALLOWED, shown) from None


def connection_string(address: str) -> str:
    """Return Feast's connection string of a Redis ``address``.

    >>> connection_string("redis://redis/3")
    'redis:6379,db=3'
    """
    found = configuration(address, Path())
    if "connection_string" not in found:
        raise InvalidInput(VARIABLE, "a store of Redis", "redis://HOST:PORT/DATABASE", "another's")
    return str(found["connection_string"])


def _redis(parts: SplitResult) -> dict[str, Any]:
    database = int(parts.path.strip("/") or 0)
    password = unquote(parts.password or "")
    if "," in password:
        # Feast splits its connection string there, and knows no way to quote it.
        raise InvalidInput(VARIABLE, "the environment", "without ',' in its password", "one")
    # As JSON: Feast would read a password of digits as a number.
    options = [f"password={json.dumps(password)}"] if password else []
    options += [f"db={database}"] if database else []
    options += ["ssl=true"] if parts.scheme == "rediss" else []
    address = f"{_host(parts)}:{parts.port or 6379}"
    return {
        "type": f"{STORES}.redis.NewestRedisOnlineStore",
        "connection_string": ",".join([address, *options]),
    }


def _postgres(parts: SplitResult) -> dict[str, Any]:
    database = parts.path.strip("/")
    if not parts.username or not database:
        raise ValueError
    return {
        "type": f"{STORES}.postgres.NewestPostgresOnlineStore",
        "host": _host(parts),
        "port": parts.port or 5432,
        "database": unquote(database),
        "user": unquote(parts.username),
        "password": unquote(parts.password or ""),
        "sslmode": parse_qs(parts.query).get("sslmode", ["require"])[0],
    }


def _host(parts: SplitResult) -> str:
    if parts.hostname is None:
        raise ValueError
    return parts.hostname
