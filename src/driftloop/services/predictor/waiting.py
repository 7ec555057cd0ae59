"""Waiting: a bounded queue of records, and the weight of those that found no room.

**The rule.** A record that finds no room is dropped, and its sampling weight L is owed. The next
record that finds room, of weight W, takes on what is owed: each of its rows counts
min((W + L) / W, MAX_FACTOR) times, and what a record cannot take on stays owed. So at every
moment: weight of what was kept + weight owed = weight of what was put. A sum over the kept rows,
each by its weight, is what that sum over all rows would be if the dropped rows were as the kept
ones that follow them: unbiased while room is found or not whatever a row holds. It is not after
an outage during which the traffic changed, nor for a window of which nothing was kept: there the
gaps in the sequence numbers tell how many rows are missing.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from driftloop.services.predictor.record import Record

MAX_FACTOR = 10.0
"""A kept row stands for at most so many: one row that stood for an outage would drown a window."""


@dataclass(frozen=True)
class Bounds:
    """Most records, rows and bytes that wait at once."""

    records: int = 2048
    rows: int = 200_000
    size: int = 32 << 20


class Waiting:
    """Records in the order they were put; safe to share between threads."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds, self.owed = bounds, 0.0
        self._records: deque[tuple[Record, int]] = deque()
        self._rows, self._size = 0, 0
        self._lock = threading.Lock()

    def put(self, record: Record) -> bool:
        """Take the record, or drop it and owe its weight; return whether it was taken."""
        size = record.size
        with self._lock:
            if not self._fits(record, size):
                self.owed += record.weight
                return False
            self._records.append((self._weighed(record), size))
            self._rows += len(record)
            self._size += size
        return True

    def take(self, rows: int) -> list[Record]:
        """Remove and return the oldest records, of ``rows`` rows together, or one larger one."""
        taken: list[Record] = []
        with self._lock:
            while self._records and (not taken or len(self._records[0][0]) <= rows):
                record, size = self._records.popleft()
                taken.append(record)
                rows -= len(record)
                self._rows -= len(record)
                self._size -= size
        return taken

    def __len__(self) -> int:
        """Return how many rows wait."""
        return self._rows

    def _fits(self, record: Record, size: int) -> bool:
        bounds = self.bounds
        return (
            len(self._records) < bounds.records
            and self._rows + len(record) <= bounds.rows
            and self._size + size <= bounds.size
        )

    def _weighed(self, record: Record) -> Record:
        if not self.owed:
            return record
        own = record.weight
        taken_on = min(self.owed, (MAX_FACTOR - 1) * own)
        self.owed -= taken_on
        return record.weighing((own + taken_on) / own)
