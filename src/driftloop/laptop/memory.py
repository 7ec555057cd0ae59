"""Memory: the peak resident size of this process and all its children together."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import psutil

INTERVAL = 0.5
"""Seconds between two looks; a peak shorter than that can be missed."""


class PeakMemory:
    """Samples in a thread while the block runs; ``megabytes`` is the largest sum seen."""

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        own = psutil.Process()
        while not self._ended.wait(INTERVAL):
            total = sum(_resident(p) for p in [own, *own.children(recursive=True)])
            self.megabytes = max(self.megabytes, total / 1e6)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it ended between being listed and being asked
