"""Last run: where a use case's newest run on this machine lies, and the store a command reads."""

from __future__ import annotations

import os
from pathlib import Path

from driftloop_contracts.object_store import ObjectStore, open_store

LEDGER = "ledger.db"
"""File of a run's ledger, in its folder."""


def folder(name: str) -> Path:
    """Return the folder of the last run of the use case ``name``."""
    return Path("runs") / name


def store(name: str, run: Path | None) -> ObjectStore:
    """Return the store of the run in ``run``; without one DRIFTLOOP_STORE, or the last run's."""
    local = str((run or folder(name)) / "store")
    return open_store(local if run else os.environ.get("DRIFTLOOP_STORE") or local)
