"""Spool folder: whose it is, and what sidecars of other bundles left in it.

``<folder>/<loop>/<bundle>/`` is the spool of one bundle. Events wait in
``<folder>/.outbox/`` whatever bundle they are of; no loop has such a name.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from drift_sidecar.inference_log import InferenceLog
from drift_sidecar.settings import NAME, WHERE, Settings
from drift_sidecar.spool import Spool
from drift_sidecar.uploader import Uploader
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import ObjectStore


def hold(settings: Settings) -> Path:
    """Return the folder, this process's alone until it ends; raise InvalidInput otherwise."""
    if not settings.spool and not settings.scratch:
        folder = Path(tempfile.mkdtemp(prefix="drift-sidecar-spool-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    folder = Path(settings.spool) if settings.spool else Path(settings.scratch) / "spool"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Held until the process ends, however it ends.
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        allowed = "a folder that can be written to and that no other sidecar uses"
        raise InvalidInput("DRIFTLOOP_SPOOL", WHERE, allowed, str(folder)) from error
    return folder


def left(folder: Path, settings: Settings, store: ObjectStore) -> Iterator[Uploader]:
    """Yield an uploader for each other bundle that left records; their windows go unscored."""
    for path in sorted(folder.glob("*/*/")):
        loop, bundle = path.parent.name, path.name
        is_own = (loop, bundle) == (settings.loop, settings.bundle)
        if is_own or not (NAME.fullmatch(loop) and NAME.fullmatch(bundle)):
            continue
        spool = Spool(path, settings.spool_bytes)
        starts = [segment.start for segment, _ in spool.recover()]
        if starts:
            # Without that bundle's reference no window of it can be scored.
            spool.score(max(starts) + 1)
            yield Uploader(spool, InferenceLog(store, loop, bundle))
