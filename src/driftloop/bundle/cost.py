"""Cost: what a model takes to load and to ask."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from driftloop.bundle import model_file
from driftloop.training import fit
from driftloop.usecase import UseCase

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

ASKED = 50
"""One-row predictions that are timed, after as many that are not."""
MOST_ROWS = 1000
"""Rows of the one large prediction whose memory is counted."""


@dataclass(frozen=True)
class Cost:
    """Of one model: the median of a one-row prediction, and bytes.

    ``size``: of all of the bundle's files; ``memory``: peak that loading it and predicting
    MOST_ROWS rows allocated, as Python's tracemalloc sees it (NumPy's arrays included).
    """

    latency_ms: float
    size: int
    memory: int

    def to_data(self) -> dict[str, Any]:
        """Return the cost as JSON has it."""
        return asdict(self)


def measure(
    usecase: UseCase,
    path: Path,
    rows: pd.DataFrame,
    size: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Cost:
    """Return what the model in the file ``path`` costs on rows like ``rows``."""

    def use() -> Any:
        model = model_file.load(path)
        fit.predict(usecase, model, rows.head(MOST_ROWS))
        return model

    model, memory = peak(use)
    took = [_asked(usecase, model, rows.iloc[[n % len(rows)]], clock) for n in range(2 * ASKED)]
    return Cost(round(statistics.median(took[ASKED:]) * 1000, 3), size, memory)


def peak(work: Callable[[], T]) -> tuple[T, int]:
    """Return what ``work`` returns, and the most bytes that it had allocated at once."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _asked(usecase: UseCase, model: Any, row: pd.DataFrame, clock: Callable[[], float]) -> float:
    began = clock()
    fit.predict(usecase, model, row)
    return clock() - began
