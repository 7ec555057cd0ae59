"""Windows: the open cells of the grid, and which of them are due."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from drift_sidecar import grid
from drift_sidecar.reference import Reference
from drift_sidecar.sample import Sample
from drift_sidecar.tallies import Tallies
from drift_sidecar.window import Window

SAMPLE_ROWS = 20_000
"""Most rows of one window that Alibi Detect measures; every row is counted and logged."""
SAMPLES_ROWS = 100_000
"""Most rows of all windows' samples together, as long as each keeps ENOUGH_ROWS."""
ENOUGH_ROWS = 5000
"""Rows that the test of joint changes can use of a sample."""


class Windows:
    """Open windows of the reference's length, in seconds; not safe to share between threads."""

    def __init__(self, reference: Reference, sample_size: int = SAMPLE_ROWS) -> None:
        self.reference = reference
        self.sample_size = max(sample_size, reference.baseline.min_rows)
        self.length = reference.baseline.window_seconds
        self.features = [feature.name for feature in reference.features]
        self.closed_until, self.newest = 0, 0
        self._open: dict[int, Window] = {}

    def start_of(self, second: int) -> int:
        """Return the start of the window that takes rows of ``second`` now.

        Rows of a closed cell go into the first one that is still open.
        """
        return max(grid.floor(second, self.length), self.closed_until)

    def add(self, records: pa.RecordBatch, second: int, rng: np.random.Generator) -> Window:
        """Put rows of one event time into their window and return it."""
        return self.put(self.start_of(second), records, second, rng)

    def put(
        self, start: int, records: pa.RecordBatch, second: int, rng: np.random.Generator
    ) -> Window:
        """Put rows of one event time into the window at ``start`` and return it."""
        if start not in self._open:
            sample, tallies = Sample(self.sample_size), Tallies(self.reference)
            self._open[start] = Window(start, start + self.length, sample, tallies)
            self._share(self._open.values())
        self._open[start].add(records, self.features, rng)
        self.newest = max(self.newest, second)
        return self._open[start]

    def overdue(self) -> int:
        """Return the instant up to which the data themselves say that windows are over.

        One whole window of patience: records of another request may still be on their way.
        """
        return self.newest - self.length

    def due(self, until: int) -> bool:
        """Return whether a window ends at or before ``until``."""
        return any(window.end <= until for window in self._open.values())

    def close(self, until: int) -> list[Window]:
        """Remove and return, oldest first, the windows that end at or before ``until``."""
        over = sorted(start for start, window in self._open.items() if window.end <= until)
        self.closed_until = max(self.closed_until, grid.floor(until, self.length))
        closed = [self._open.pop(start) for start in over]
        self._share(closed)  # they may wait long for the store
        for window in closed:
            window.sample.shrink()
        return closed

    def _share(self, windows: Collection[Window]) -> None:
        """Let the samples of many windows be smaller, so that together they stay bounded."""
        for window in windows:
            window.sample.limit(max(ENOUGH_ROWS, SAMPLES_ROWS // len(windows)))

    def reopen(self, windows: list[Window]) -> None:
        """Put back windows that could not be finished; no new rows reach them."""
        self._open.update({window.start: window for window in windows})

    def open(self) -> list[Window]:
        """Return the open windows, oldest first."""
        return [self._open[start] for start in sorted(self._open)]
