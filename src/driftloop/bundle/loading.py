"""Fetching a bundle: every byte is checked before anything of it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from driftloop.bundle import model_file
from driftloop_contracts.bundle import MODEL, Manifest, verify
from driftloop_contracts.errors import BundleRefused
from driftloop_contracts.object_store import ObjectStore


def key(loop_name: str, version: str, name: str = "") -> str:
    """Return where a bundle's file lies in the object store.

    >>> key("ads-ctr", "0001-1a2b3c4d", "manifest.json")
    'bundles/ads-ctr/0001-1a2b3c4d/manifest.json'
    """
    return f"bundles/{loop_name}/{version}/{name}"


def fetch(store: ObjectStore, loop_name: str, version: str, folder: Path) -> Manifest:
    """Copy a bundle into ``folder`` and return its manifest, or raise BundleRefused."""
    prefix = key(loop_name, version)
    names = [name.removeprefix(prefix) for name in store.list(prefix)]
    if not names:
        raise BundleRefused(f"There is no bundle {version} of loop {loop_name} in {store.uri}.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if Path(name).name != name:
            raise BundleRefused(f"Bundle {version} holds {name!r}, which is no plain file name.")
        (folder / name).write_bytes(store.get(prefix + name))
    manifest = verify(folder)
    if (manifest.loop, manifest.version) != (loop_name, version):
        raise BundleRefused(
            f"The bundle at {prefix} says it is {manifest.loop} {manifest.version}."
        )
    return manifest


def load_model(folder: Path) -> Any:
    """Return the model of a fetched bundle: an estimator with predict_proba(DataFrame)."""
    return model_file.load(folder / MODEL)
