"""The bundle: where it lies, its manifest, and the check before anything of it loads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftloop_contracts import signature
from driftloop_contracts.errors import BundleRefused
from driftloop_contracts.signature import Trusted

if TYPE_CHECKING:
    from driftloop_contracts.object_store import ObjectStore

MANIFEST = "manifest.json"
MODEL = "model.skops"
REFERENCE = "reference.parquet"
BASELINE = "baseline.json"
OUTCOMES = "outcomes.json"
SLICES = "slices.json"
VOCABULARY = "vocabulary.json"
"""Of each text column; only a bundle of a model that reads texts has it."""
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


def key(loop: str, version: str, name: str = "") -> str:
    """Return where a bundle's file lies in the object store.

    >>> key("ads-ctr", "0001-1a2b3c4d", "manifest.json")
    'bundles/ads-ctr/0001-1a2b3c4d/manifest.json'
    """
    return f"bundles/{loop}/{version}/{name}"


def age(version: str) -> tuple[int, str]:
    """Return what orders versions: the number in front, 0 for none, then the version itself.

    >>> sorted(["10000-b", "0002-a", "mine"], key=age)
    ['mine', '0002-a', '10000-b']
    """
    number = version.partition("-")[0]
    return (int(number) if number.isascii() and number.isdecimal() else 0), version


def fetch(store: ObjectStore, loop: str, version: str, folder: Path, trusted: Trusted) -> Manifest:
    """Copy the bundle into ``folder``, verify every byte and return its manifest.

    ``trusted``: whose bundles may load. Raise BundleRefused for a bundle that is absent, altered,
    another's or signed by nobody who is trusted.
    """
    prefix = key(loop, version)
    names = [name.removeprefix(prefix) for name in store.list(prefix)]
    if not names:
        raise BundleRefused(f"There is no bundle {version} of loop {loop} in {store.uri}.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if Path(name).name != name:
            raise BundleRefused(f"Bundle {version} holds {name!r}, which is no plain file name.")
        (folder / name).write_bytes(store.get(prefix + name))
    manifest = verify(folder, trusted)
    if (manifest.loop, manifest.version) != (loop, version):
        raise BundleRefused(
            f"The bundle at {prefix} says it is {manifest.loop} {manifest.version}."
        )
    return manifest


def verify(folder: Path, trusted: Trusted) -> Manifest:
    """Return the manifest of the bundle in ``folder``; raise BundleRefused unless all verifies."""
    manifest = _read(folder, trusted)
    present = {path.name for path in folder.iterdir()} - {MANIFEST, signature.FILE}
    if present != set(manifest.files):
        odd = ", ".join(sorted(present ^ set(manifest.files)))
        raise BundleRefused(f"Bundle {manifest.version} lacks or adds files: {odd}.")
    for name, expected in manifest.files.items():
        if not (folder / name).is_file() or digest((folder / name).read_bytes()) != expected:
            raise BundleRefused(f"Bundle {manifest.version}: {name} is not what its digest says.")
    return manifest


def _read(folder: Path, trusted: Trusted) -> Manifest:
    try:
        raw = (folder / MANIFEST).read_bytes()
        signed = folder / signature.FILE
        # Before anything is made of its bytes.
        trusted.check(
            raw, signed.read_bytes() if signed.is_file() else None, str(folder / MANIFEST)
        )
        manifest = Manifest(**json.loads(raw))
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
