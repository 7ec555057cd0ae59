"""Spool: encoded training rows in a file, read again in each pass in an order that a seed says.

Reading text and hashing it is most of a pass; it is done once. What is read again are numbers of
a fixed width, in blocks that are cheap to find. The file is no larger than 8 bytes for each
numeric and 4 for each categorical column, and 12 for label and weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

Records = np.ndarray[Any, np.dtype[Any]]

BLOCK = 8192
"""Rows that lie together in every pass."""


class Spool:
    """Rows of ``categorical`` bucket numbers and ``numeric`` values, in the file ``path``."""

    def __init__(self, path: Path, categorical: int, numeric: int) -> None:
        self.path = path
        self.record = np.dtype(
            [
                ("label", "<f4"),
                ("weight", "<f8"),
                ("buckets", "<i4", (categorical,)),
                ("numbers", "<f8", (numeric,)),
            ]
        )
        self.rows = 0
        self.weight = 0.0
        path.write_bytes(b"")

    def add(self, buckets: Any, numbers: Any, labels: Any, weights: Any) -> None:
        """Append rows: [rows, categorical], [rows, numeric], 0 or 1, and weights above 0."""
        records = np.empty(len(labels), self.record)
        records["label"], records["weight"] = labels, weights
        records["buckets"], records["numbers"] = buckets, numbers
        with self.path.open("ab") as file:
            records.tofile(file)
        self.rows += len(records)
        self.weight += float(np.sum(weights))

    def blocks(self, first: int, last: int) -> Iterator[Records]:
        """Yield the rows from ``first`` up to ``last`` in their order."""
        for start in range(first, last, BLOCK):
            yield self._read(start, min(BLOCK, last - start))

    def shuffled(
        self, first: int, last: int, buffer: int, rng: np.random.Generator
    ) -> Iterator[Records]:
        """Yield the same rows, ``buffer`` at a time, in an order that ``rng`` draws.

        Blocks are drawn without replacement; the rows of those in the buffer are mixed.
        """
        starts = rng.permutation(np.arange(first, last, BLOCK))
        at_once = max(1, buffer // BLOCK)
        for place in range(0, len(starts), at_once):
            some = starts[place : place + at_once]
            rows = np.concatenate([self._read(s, min(BLOCK, last - s)) for s in some.tolist()])
            yield rows[rng.permutation(len(rows))]

    def _read(self, start: int, count: int) -> Records:
        offset = start * self.record.itemsize
        return np.fromfile(self.path, self.record, count, offset=offset)
