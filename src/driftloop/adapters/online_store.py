"""Online stores: where Feast keeps the newest values, SQLite in a folder or a Redis server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from driftloop_contracts.errors import InvalidInput

VARIABLE = "DRIFTLOOP_ONLINE_STORE"
"""Where it is: empty for SQLite, or redis[s]://[:PASSWORD@]HOST[:PORT][/DATABASE]."""


def configuration(address: str, folder: Path) -> dict[str, Any]:
    """Return Feast's online_store setting for ``address``; SQLite lies in ``folder``.

    >>> configuration("redis://redis:6379", Path("."))
    {'type': 'redis', 'connection_string': 'redis:6379'}
    >>> configuration("rediss://:secret@redis", Path("."))["connection_string"]
    'redis:6379,password="secret",ssl=true'
    """
    if not address:
        return {"type": "sqlite", "path": str(folder / "online.db")}
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 6379
        database = int(parts.path.strip("/") or 0)
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("redis", "rediss"):
        # The address may hold a password, so a message shows only how it begins.
        shown = address.partition(":")[0]
        raise InvalidInput(
            VARIABLE, "the environment", "empty or redis://HOST:PORT/DATABASE", shown
        )
    password = unquote(parts.password or "")
    if "," in password:
        # Feast splits its connection string there, and knows no way to quote it.
        raise InvalidInput(VARIABLE, "the environment", "without ',' in its password", "one")
    # As JSON: Feast would read a password of digits as a number.
    options = [f"password={json.dumps(password)}"] if password else []
    options += [f"db={database}"] if database else []
    options += ["ssl=true"] if parts.scheme == "rediss" else []
    return {"type": "redis", "connection_string": ",".join([f"{host}:{port}", *options])}
