"""Sample: a uniform random sample of bounded size from rows that come in batches.

Every row draws a key uniform in [0, 1); the rows with the smallest keys are the sample
(bottom-k sampling). So two samples merge into the sample of both, without bias.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from drift_sidecar.batches import LARGE, gathered

Keys = np.ndarray[Any, np.dtype[np.float64]]


class Sample:
    """At most ``size`` rows of what was added, and fewer than twice as many held."""

    def __init__(self, size: int) -> None:
        self.size, self._rows = size, 0
        self._batches: list[pa.RecordBatch] = []
        self._drawn: list[Keys] = []
        self._bound = 1.0
        """Rows that draw as much or more cannot be in the sample any more."""

    def add(self, batch: pa.RecordBatch, rng: np.random.Generator) -> None:
        """Offer every row of ``batch`` to the sample."""
        self._append(batch, rng.random(batch.num_rows))

    def limit(self, size: int) -> None:
        """Keep at most ``size`` rows from now on, if that is fewer."""
        if size < self.size:
            self.size = size
            self.shrink()

    def merge(self, other: Sample) -> None:
        """Offer the rows of ``other`` with the keys that they drew.

        The smaller size of both holds: beyond it one of them may have let rows go already.
        """
        self.limit(other.size)
        for batch, keys in zip(other._batches, other._drawn, strict=True):
            self._append(batch, keys)

    def table(self) -> pa.Table | None:
        """Return the sample's rows, or None when nothing was added."""
        self.shrink()
        return pa.Table.from_batches(self._batches) if self._batches else None

    def _append(self, batch: pa.RecordBatch, keys: Keys) -> None:
        if self._bound < 1 or batch.num_rows > LARGE:
            # A copy at any rate: the batch itself holds all of the body that it came in.
            is_low = keys < self._bound
            batch, keys = batch.filter(pa.array(is_low)), keys[is_low]
        self._batches.append(batch)
        self._drawn.append(keys)
        self._rows += batch.num_rows
        batches = gathered(self._batches)
        if batches is not self._batches:
            count = len(batches) - 1
            self._drawn[count:] = [np.concatenate(self._drawn[count:])]
            self._batches = batches
        if self._rows >= 2 * self.size:
            self.shrink()

    def shrink(self) -> None:
        """Let go of the rows beyond the size that are held to be sorted out later."""
        if self._rows <= self.size:
            return
        keys = np.concatenate(self._drawn)
        kept = np.sort(np.argpartition(keys, self.size)[: self.size])
        table = pa.Table.from_batches(self._batches).take(pa.array(kept)).combine_chunks()
        self._batches, self._drawn = table.to_batches(), [keys[kept]]
        self._rows, self._bound = len(kept), float(keys[kept].max())
