"""Newest: which bundle a command or a page means, and what its manifest says."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from driftloop.bundle import retention
from driftloop_contracts import bundle, signature
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import ObjectStore


def known(store: ObjectStore, loop: str, version: str) -> str:
    """Return the version asked for, or the newest; raise InvalidInput for one that is not there."""
    found = retention.stored(store, loop)
    if not found or (version and version not in found):
        allowed = f"one of {', '.join(found[-9:])}" if found else "one; there are none"
        raise InvalidInput("a bundle", store.uri, allowed, version or "nothing")
    return version or found[-1]


def fetched(store: ObjectStore, loop: str, version: str, folder: Path) -> bundle.Manifest:
    """Return the manifest of ``known``, its files verified and copied to ``folder``."""
    wanted, trusted = known(store, loop, version), signature.trusted(os.environ)
    return bundle.fetch(store, loop, wanted, folder, trusted)


def facts(store: ObjectStore, loop: str) -> dict[str, Any]:
    """Return the facts of the newest bundle's manifest, none where there is no bundle."""
    found = retention.stored(store, loop)
    if not found:
        return {}
    content: dict[str, Any] = json.loads(store.get(bundle.key(loop, found[-1], bundle.MANIFEST)))
    return dict(content["facts"])
