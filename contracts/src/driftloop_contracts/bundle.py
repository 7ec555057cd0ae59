"""The bundle's manifest: every file with its SHA-256 digest, checked before anything loads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from driftloop_contracts.errors import BundleRefused

MANIFEST = "manifest.json"
MODEL = "model.skops"
REFERENCE = "reference.parquet"
BASELINE = "baseline.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """What a bundle is: loop, version, the instant its data end, its facts and its files.

    ``files`` maps each file's name to its SHA-256 digest (hex); ``facts`` holds what a person
    asks of a model: objective, estimator, metrics, training window, library versions.
    """

    loop: str
    version: str
    data_end: str
    facts: dict[str, Any]
    files: dict[str, str]
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> bytes:
        """Return the manifest's canonical bytes: sorted keys, no spaces left to chance."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, allow_nan=False).encode()


def digest(content: bytes) -> str:
    """Return the SHA-256 digest of ``content`` in hex.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def content_digest(files: Mapping[str, bytes]) -> str:
    """Return one digest over the named files, the content half of a version.

    >>> content_digest({"a": b"1", "b": b"2"}) == content_digest({"b": b"2", "a": b"1"})
    True
    """
    lines = "".join(f"{name} {digest(files[name])}\n" for name in sorted(files))
    return digest(lines.encode())


def verify(folder: Path) -> Manifest:
    """Return the manifest of the bundle in ``folder``; raise BundleRefused unless all verifies."""
    manifest = _read(folder)
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    if present != set(manifest.files):
        odd = ", ".join(sorted(present ^ set(manifest.files)))
        raise BundleRefused(f"Bundle {manifest.version} lacks or adds files: {odd}.")
    for name, expected in manifest.files.items():
        if not (folder / name).is_file() or digest((folder / name).read_bytes()) != expected:
            raise BundleRefused(f"Bundle {manifest.version}: {name} is not what its digest says.")
    return manifest


def _read(folder: Path) -> Manifest:
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        manifest = Manifest(**content)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BundleRefused(f"{folder / MANIFEST} is not a bundle manifest: {error}.") from error
    if manifest.schema_version != SCHEMA_VERSION:
        raise BundleRefused(
            f"Bundle {manifest.version} has schema version {manifest.schema_version!r}; "
            f"this process reads {SCHEMA_VERSION}."
        )
    if not isinstance(manifest.files, dict) or any(Path(n).name != n for n in manifest.files):
        raise BundleRefused(f"Bundle {manifest.version} names files outside its folder.")
    return manifest
