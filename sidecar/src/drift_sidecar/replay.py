"""Replay: a logged period scored again, with the verdicts that the sidecar would tell.

``python -m drift_sidecar replay LOG --bundle B`` reads the parquet files below LOG (a folder of
the inference log), takes the rows that B served, and prints a JSON line for every event.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from drift_sidecar import events, reference
from drift_sidecar.events import Origin
from drift_sidecar.monitor import SEED
from drift_sidecar.record_stream import by_cell
from drift_sidecar.reference import Reference
from drift_sidecar.scoring import Scorer
from drift_sidecar.settings import checked_name
from drift_sidecar.windows import Windows
from driftloop_contracts import signature
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift.learned import Learned
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import open_store


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Print the events of a logged period and return the exit code."""
    told = _parser().parse_args(arguments)
    store = told.store or environ.get("DRIFTLOOP_STORE", "")
    loop = told.loop or environ.get("DRIFTLOOP_LOOP", "")
    for name, value in (("--store", store), ("--loop", loop)):
        if not value:
            raise InvalidInput(name, "the command", "given, or set in the environment", value)
    version = checked_name(told.bundle, "--bundle", "the command")
    with tempfile.TemporaryDirectory(prefix="drift-replay-") as folder:
        trusted = signature.trusted(environ)
        found = reference.fetch(open_store(store), loop, version, Path(folder), trusted)
    for event in scored(
        found, batches(Path(told.log), version), Origin(loop, version, found.digest)
    ):
        sys.stdout.write(json.dumps(event.to_dict()) + "\n")
    return 0


def batches(folder: Path, version: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows that a bundle served, file by file; raise InvalidInput without any."""
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise InvalidInput(
            "LOG", "the command", "a folder with parquet files below it", str(folder)
        )
    for file in files:
        try:
            table = ds.dataset(file, partitioning=None).to_table()
            own = table.filter(ds.field("bundle_version") == version)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InvalidInput(f"{file.name}", "the log", "a file of the log", reason) from error
        yield from own.combine_chunks().to_batches()


def scored(
    found: Reference, rows: Iterator[pa.RecordBatch], origin: Origin
) -> Iterator[CloudEvent]:
    """Yield the events of every window, in order; the rows may come in any."""
    rng = np.random.default_rng(SEED)
    windows = Windows(found)
    for batch in rows:
        for part, second in by_cell(batch, windows.length):
            windows.add(part, second, rng)
    scorer, carried, learned = Scorer(found), None, Learned()
    limits = found.baseline.min_rows, found.baseline.max_seconds
    for window in windows.open():
        if carried is not None:
            window.absorb(carried)
        carried = None if window.is_complete(*limits) else window
        if carried is None:
            result = scorer.score(window, learned)
            learned = result.after(learned, window)
            yield from events.of_window(window, result, origin)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "drift_sidecar replay", description="Score a logged period offline."
    )
    parser.add_argument("log", help="folder of the inference log, or one of its days")
    parser.add_argument("--bundle", required=True, help="version to compare with")
    parser.add_argument("--store", default="", help="object store (DRIFTLOOP_STORE)")
    parser.add_argument("--loop", default="", help="name of the loop (DRIFTLOOP_LOOP)")
    return parser
