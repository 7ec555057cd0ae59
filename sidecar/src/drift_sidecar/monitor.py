"""Monitor: takes batches into windows, closes windows, and tells of what they show.

Order at a window's end: its records are written to the inference log, then it is scored,
then its events go to the outbox. A store that fails leaves the window open for the next try,
so no record is lost and no event precedes its evidence.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, dataclass
from typing import Any

from drift_sidecar import events, grid, records
from drift_sidecar.events import Origin
from drift_sidecar.inference_log import InferenceLog
from drift_sidecar.outbox import Outbox
from drift_sidecar.reference import Reference
from drift_sidecar.scoring import Scorer
from drift_sidecar.seen import Seen
from drift_sidecar.settings import checked_name
from drift_sidecar.window import Window
from drift_sidecar.windows import Windows
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import DriftloopError
from driftloop_contracts.inference import InferenceBatch

log = logging.getLogger(__name__)

PART_ROWS = 200_000
"""Rows of one window that are written to the inference log before the window ends."""
MAX_WAITING = 2_000_000
"""Rows that may wait for the inference log; more are refused until some are written."""


class Foreign(DriftloopError):
    """A batch of another loop or of another bundle."""


class Busy(DriftloopError):
    """No more rows fit until the inference log has taken some."""


@dataclass
class Counts:
    """What happened since the start; ``last_seq``: of the newest record, -1 before any."""

    rows: int = 0
    batches: int = 0
    windows: int = 0
    events: int = 0
    late: int = 0
    rejected: int = 0
    duplicates: int = 0
    last_seq: int = -1


class Monitor:
    """One loop watched with one bundle; safe to share between threads."""

    def __init__(
        self,
        reference: Reference,
        windows: Windows,
        inference_log: InferenceLog,
        outbox: Outbox,
        pod: str = "",
    ) -> None:
        baseline = reference.baseline
        self.loop, self.bundle = inference_log.loop, inference_log.bundle
        self.counts, self.outbox = Counts(), outbox
        self._origin = Origin(self.loop, self.bundle, baseline.level, pod)
        self._kinds = baseline.kinds
        self._min_rows = baseline.min_rows
        self._scorer, self._windows, self._log = Scorer(reference), windows, inference_log
        self._carried: Window | None = None
        self._seen = Seen()
        self._waiting = 0
        self._intake, self._closing = threading.Lock(), threading.Lock()
        self.work = threading.Event()
        """Set when ``tend`` has something to do."""

    def take(self, source: str, event_id: str, batch: InferenceBatch) -> bool:
        """Put the batch's rows into their window; return False for a repeated delivery.

        Raise Foreign, Busy or InvalidInput, and take nothing then.
        """
        self._check_origin(batch)
        second = grid.seconds(batch.event_time)
        rows = records.from_batch(batch, self._kinds)
        with self._intake:
            if self._waiting + len(batch) > MAX_WAITING:
                raise Busy("Too many records wait to be written; send the batch again later.")
            if not self._seen.add(source, event_id):
                self.counts.duplicates += 1
                return False
            if len(batch):
                self._add(rows, second, batch)
            self.counts.batches += 1
        return True

    def close(self, until: int) -> list[CloudEvent]:
        """Close every window that ends at or before ``until`` and return its events.

        Raise StoreUnavailable when records could not be written; those windows stay open.
        """
        with self._closing:
            with self._intake:
                over = self._windows.close(until)
            told: list[CloudEvent] = []
            try:
                while over:
                    self._write(over[0])
                    told += self._end(over.pop(0))
            finally:
                with self._intake:
                    self._windows.reopen(over)
            return told

    def tend(self) -> None:
        """Write the records of large windows; close those that the data say are over."""
        self.work.clear()
        with self._closing:
            with self._intake:
                large = [w for w in self._windows.open() if w.waiting >= PART_ROWS]
                until = self._windows.overdue()
            for window in large:
                self._write(window)
        self.close(until)

    def finish(self) -> None:
        """Write what waits for the inference log; windows that are not over stay unscored."""
        with self._closing:
            for window in self._windows.open():
                self._write(window)
        self.outbox.drain(timeout=10)

    def reject(self) -> None:
        """Count a request that was refused."""
        with self._intake:
            self.counts.rejected += 1

    def status(self) -> dict[str, Any]:
        """Return the counts with the loop, the bundle and what did not reach the sink."""
        with self._intake:
            told = asdict(self.counts) | {"waiting": self._waiting}
        own = {"loop": self.loop, "bundle": self.bundle, "undelivered": self.outbox.undelivered}
        return own | told

    def _check_origin(self, batch: InferenceBatch) -> None:
        if (batch.loop, batch.bundle_version) != (self.loop, self.bundle):
            raise Foreign(
                f"This sidecar watches {self.loop} {self.bundle}; the batch is of "
                f"{batch.loop[:80]} {batch.bundle_version[:80]}."
            )
        checked_name(batch.pod_uid, "pod_uid", "an inference batch")

    def _add(self, rows: Any, second: int, batch: InferenceBatch) -> None:
        counts = self.counts
        if second < self._windows.closed_until:
            counts.late += len(batch)
        window = self._windows.add(rows, second)
        counts.rows += len(batch)
        counts.last_seq = max(counts.last_seq, batch.first_seq + len(batch) - 1)
        self._waiting += len(batch)
        if window.waiting >= PART_ROWS or self._windows.due(self._windows.overdue()):
            self.work.set()

    def _write(self, window: Window) -> None:
        """Write what the window's part of the inference log lacks, or keep it and raise."""
        with self._intake:
            rows, batches = window.waiting, window.hand_over()
        try:
            self._log.write(window.start, window.parts, batches)
        except BaseException:
            with self._intake:
                window.take_back(batches)
            raise
        with self._intake:
            window.parts += 1
            self._waiting -= rows

    def _end(self, window: Window) -> list[CloudEvent]:
        """Score a window whose records are written, or carry it into the next one."""
        if self._carried is not None:
            window.absorb(self._carried)
        self._carried = window if window.n < self._min_rows else None
        sample = window.sample.table()
        if self._carried is not None or sample is None:
            return []
        told = events.of_window(window, self._scorer.score(sample), self._origin)
        with self._intake:
            self.counts.windows += 1
            self.counts.events += len(told)
        for event in told:
            self.outbox.put(event)
        return told
