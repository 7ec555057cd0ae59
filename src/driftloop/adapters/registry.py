"""Registries: where Feast keeps definitions and what was materialized; a file, or Postgres."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from driftloop_contracts.errors import InvalidInput

VARIABLE = "DRIFTLOOP_REGISTRY"
"""Where it is: empty for a file of the step's own, or the address of a Postgres database."""
ALLOWED = "empty or postgresql://USER:PASSWORD@HOST:PORT/NAME"
SCHEMES = "postgresql", "postgresql+psycopg"


def configuration(address: str, folder: Path) -> dict[str, Any]:
    """Return Feast's registry setting for ``address``; a file lies in ``folder``.

    >>> configuration("", Path("f"))
    {'registry_type': 'file', 'path': 'f/registry.db'}
    >>> configuration("postgresql://feast:secret@db/registry", Path())["path"]
    'postgresql+psycopg://feast:secret@db/registry?sslmode=require'
    """
    if not address:
        return {"registry_type": "file", "path": str(folder / "registry.db")}
    return {
        "registry_type": "sql",
        "path": _url(address),
        "locked": True,
        "serve_features_while_materializing": True,
    }


def _url(address: str) -> str:
    try:
        parts = urlsplit(address)
        complete = parts.scheme in SCHEMES and parts.hostname and parts.username
        # The port is a number only when it is asked for.
        if not complete or not parts.path.strip("/") or parts.port == 0:
            raise ValueError
    except ValueError:
        # The address may hold a password, so a message shows only how it begins.
        shown = address.partition("://")[0] if "://" in address else "no address"
        raise InvalidInput(VARIABLE, "the environment", ALLOWED, shown) from None
    query = {"sslmode": ["require"]} | parse_qs(parts.query)
    return parts._replace(scheme=SCHEMES[1], query=urlencode(query, doseq=True)).geturl()
