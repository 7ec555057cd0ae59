"""Packing a bundle: files, their digests, a version that is ordered and content-addressed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from driftloop_contracts import signature, times
from driftloop_contracts.bundle import MANIFEST, Manifest, content_digest, digest, key
from driftloop_contracts.object_store import ObjectStore


def version_of(number: int, files: Mapping[str, bytes]) -> str:
    """Return the version of these files made by the ``number``-th retraining.

    >>> version_of(1, {"model.skops": b""})
    '0001-88969ac3'
    """
    return f"{number:04d}-{content_digest(files)[:8]}"


def write(
    store: ObjectStore,
    loop_name: str,
    number: int,
    data_end: datetime,
    *,
    files: Mapping[str, bytes],
    facts: Mapping[str, Any],
    signing_key: str = "",
) -> Manifest:
    """Write the bundle and return its manifest; the manifest goes last, so half is nothing.

    ``signing_key``: an Ed25519 private key in PEM; without one the bundle is not signed.
    """
    version = version_of(number, files)
    digests = {name: digest(content) for name, content in files.items()}
    manifest = Manifest(loop_name, version, times.to_text(data_end), dict(facts), digests)
    for name, content in files.items():
        store.put(key(loop_name, version, name), content)
    if signing_key:
        signed = signature.sign(manifest.to_json(), signing_key)
        store.put(key(loop_name, version, signature.FILE), signed)
    store.put(key(loop_name, version, MANIFEST), manifest.to_json())
    return manifest
