"""Monitor: takes batches into windows, closes windows, and tells of what they show.

A batch is in the spool before it is acknowledged. Order at a window's end: its end is noted, its
records are written to the inference log, it is scored, its events go to the outbox on disk, that
is noted. A store that fails leaves the window open for the next try, so no record is lost and no
event precedes its evidence; a process killed in between takes up where the notes end.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from drift_sidecar import events, grid, record_stream, records
from drift_sidecar.events import Origin
from drift_sidecar.latest import Latest
from drift_sidecar.learning import Learning
from drift_sidecar.outbox import Outbox
from drift_sidecar.record_stream import RecordStream
from drift_sidecar.reference import Reference
from drift_sidecar.scoring import Scorer
from drift_sidecar.seen import Seen, digest
from drift_sidecar.segment import Entry
from drift_sidecar.settings import checked_name
from drift_sidecar.spool import Spool
from drift_sidecar.uploader import Uploader
from drift_sidecar.window import Window
from drift_sidecar.windows import Windows
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import DriftloopError
from driftloop_contracts.inference import InferenceBatch

log = logging.getLogger(__name__)

SEED = 20120401
"""Of the sampling; with it each delivery's (source, id), so that a restart draws the same rows."""


class Foreign(DriftloopError):
    """A batch of another loop or of another bundle."""


class Busy(DriftloopError):
    """The spool's disk takes nothing at present."""


@dataclass
class Counts:
    """What happened since the start; ``last_seq``: of the newest record, -1 before any."""

    rows: int = 0
    batches: int = 0
    windows: int = 0
    events: int = 0
    late: int = 0
    duplicates: int = 0
    last_seq: int = -1


class Monitor:
    """One loop watched with one bundle; safe to share between threads."""

    def __init__(
        self,
        reference: Reference,
        windows: Windows,
        spool: Spool,
        uploader: Uploader,
        outbox: Outbox,
        pod: str = "",
    ) -> None:
        baseline = reference.baseline
        self.loop, self.bundle = uploader.log.loop, uploader.log.bundle
        self.counts, self.outbox, self.uploader = Counts(), outbox, uploader
        self._origin = Origin(self.loop, self.bundle, reference.digest, pod)
        self.kinds = baseline.kinds
        # Where there are several pods the controller adds their cells up, so none is held back.
        self._min_rows = 1 if pod else baseline.min_rows
        self._max_seconds = baseline.max_seconds
        self._scorer, self._windows, self._spool = Scorer(reference), windows, spool
        # Nor does one of several learn: each sees a share of what the loop serves.
        self._learning = None if pod else Learning(spool.folder / "learned.json")
        self._carried: Window | None = None
        self._latest = Latest()
        self._seen = Seen()
        self._intake, self._closing = threading.Lock(), threading.Lock()
        self.work = threading.Event()
        """Set when ``tend`` has something to do."""
        self._recover()

    def take(self, source: str, event_id: str, batch: InferenceBatch) -> bool:
        """Put the batch's rows into their window; return False for a repeated delivery.

        Raise Foreign, Busy or InvalidInput, and take nothing then.
        """
        self._check_origin(batch)
        second = grid.seconds(batch.event_time)
        rows = records.from_batch(batch, self.kinds)
        return self.take_records(source, event_id, [(rows, second)] if len(batch) else [])

    def take_stream(self, source: str, event_id: str, body: bytes) -> bool:
        """Put each row of an Arrow stream into its window, as ``take`` does a batch's."""
        found = record_stream.read(body, self.kinds)
        self._check_origin(found)
        parts = record_stream.by_cell(found.rows, self._windows.length)
        return self.take_records(source, event_id, parts)

    def take_records(
        self, source: str, event_id: str, parts: list[tuple[pa.RecordBatch, int]]
    ) -> bool:
        """Put checked records into their windows, each part with its event time in seconds.

        Every part is a delivery of its own, so what a kill left undone is done by the next try.
        """
        with self._intake:
            entries = [Entry(source, event_id, rows, at) for at, (rows, _) in enumerate(parts)]
            keys = [entry.key for entry in entries] or [digest(source, event_id)]
            if all(self._seen.has(key) for key in keys):
                self.counts.duplicates += 1
                return False
            for entry, key, (_, second) in zip(entries, keys, parts, strict=False):
                if not self._seen.has(key):
                    self._add(entry, key, second)
                    self._seen.remember(key)
            if not entries:
                self._seen.remember(keys[0])
            self.counts.batches += 1
        return True

    def close(self, until: int) -> list[CloudEvent]:
        """Close every window that ends at or before ``until`` and return its events.

        Raise StoreUnavailable when records could not be written; those windows stay open.
        """
        with self._closing:
            with self._intake:
                over = self._windows.close(until)
                try:
                    self._spool.seal(self._windows.closed_until)
                    self._spool.close(self._windows.closed_until)
                except OSError:
                    self._windows.reopen(over)
                    raise
            told: list[CloudEvent] = []
            try:
                while over:
                    self.uploader.upload(over[0].end)
                    told += self._end(over[0])
                    over.pop(0)
            finally:
                with self._intake:
                    self._windows.reopen(over)
            return told

    def tend(self) -> None:
        """Seal what is old enough; close the windows that are over, by the data or by a notice."""
        self.work.clear()
        self._spool.seal_aged()
        with self._intake:
            until = max(self._windows.overdue(), self._windows.closed_until)
            is_due = self._windows.due(until)
        if is_due and not self.uploader.is_failing:
            self.close(until)

    def finish(self) -> None:
        """Write what waits for the inference log; windows that are not over stay unscored."""
        with self._closing:
            self._spool.seal()
            self.uploader.upload()
        self.outbox.drain(timeout=10)

    def status(self) -> dict[str, Any]:
        """Return the counts with the loop, the bundle and what did not reach the sink."""
        with self._intake:
            told = asdict(self.counts) | self._latest.status()
        own = {"loop": self.loop, "bundle": self.bundle}
        return own | told | self._spool.status() | self.outbox.status()

    def _check_origin(self, batch: InferenceBatch | RecordStream) -> None:
        if (batch.loop, batch.bundle_version) != (self.loop, self.bundle):
            raise Foreign(
                f"This sidecar watches {self.loop} {self.bundle}; the batch is of "
                f"{batch.loop[:80]} {batch.bundle_version[:80]}."
            )
        checked_name(batch.pod_uid, "pod_uid", "an inference batch")

    def _recover(self) -> None:
        """Rebuild what an earlier process knew from what it left in the spool."""
        for key in self._spool.deliveries():
            self._seen.remember(key)
        state = self._spool.state
        self._windows.closed_until = state.closed_until
        for segment, entry in self._spool.recover():
            for key in entry.keys:
                self._seen.remember(key)
            if segment.start >= state.scored_until:
                second = int(entry.rows["event_time"][0].as_py().timestamp())
                self._windows.put(segment.start, entry.rows, second, _rng(entry.key))
        if self._windows.due(state.closed_until):
            self.work.set()

    def _add(self, entry: Entry, key: bytes, second: int) -> None:
        counts, rows = self.counts, entry.rows.num_rows
        start = self._windows.start_of(second)
        try:
            self._spool.append(start, entry)
        except OSError as error:
            raise Busy("The spool's disk takes nothing; send the batch again later.") from error
        if second < self._windows.closed_until:
            counts.late += rows
        self._windows.put(start, entry.rows, second, _rng(key))
        counts.rows += rows
        counts.last_seq = max(counts.last_seq, entry.runs[-1][1])
        if self._windows.due(self._windows.overdue()):
            self.work.set()

    def _end(self, window: Window) -> list[CloudEvent]:
        """Score a window whose records are written, or carry it into the next one."""
        if self._carried is not None:
            window.absorb(self._carried)
            self._carried = None
        is_complete = window.is_complete(self._min_rows, self._max_seconds)
        told = self._score(window) if is_complete else []
        self._carried = None if is_complete else window
        self._spool.score(self._carried.start if self._carried else window.end)
        return told

    def _score(self, window: Window) -> list[CloudEvent]:
        known = self._learning.before(window.start) if self._learning else None
        scored = self._scorer.score(window, known)
        if self._learning and known is not None:
            self._learning.keep(window.end, scored.after(known, window))
        told = events.of_window(window, scored, self._origin)
        for event in told:
            self.outbox.put(event)
        with self._intake:
            self._latest.note(told)
            self.counts.windows += 1
            self.counts.events += len(told)
        return told


def _rng(key: bytes) -> np.random.Generator:
    return np.random.default_rng([SEED, int.from_bytes(key)])
