"""Window: the rows of one stretch of event time, before they are scored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from drift_sidecar.sample import Sample
from drift_sidecar.tallies import Tallies


class Window:
    """Rows with ``start`` <= event time < ``end``, in seconds since the epoch.

    ``n``, ``weight`` and ``mean_prediction`` count every row; ``sample`` holds the monitored
    features and weights of at most so many, ``tallies`` the counts of all. The rows themselves
    are in the spool.
    """

    def __init__(self, start: int, end: int, sample: Sample, tallies: Tallies) -> None:
        self.start, self.end, self.sample, self.tallies = start, end, sample, tallies
        self.n, self.weight, self._predicted, self._weighed = 0, 0.0, 0.0, 0.0

    @property
    def mean_prediction(self) -> float | None:
        """Return the mean prediction, each row by its weight; None without a prediction."""
        mean = self._predicted / self._weighed if self._weighed > 0 else math.nan
        return mean if math.isfinite(mean) else None

    def add(self, records: pa.RecordBatch, features: list[str], rng: np.random.Generator) -> None:
        """Take the rows of one batch."""
        self.sample.add(records.select([*features, "weight"]), rng)
        self.tallies.add(records)
        weights, predictions = _floats(records["weight"]), _floats(records["prediction"])
        present = ~np.isnan(predictions)
        self.n += records.num_rows
        self.weight += float(weights.sum())
        self._predicted += float(weights[present] @ predictions[present])
        self._weighed += float(weights[present].sum())

    def is_complete(self, least: int, longest: int) -> bool:
        """Return whether it has ``least`` rows, or any after ``longest`` seconds (0: no limit)."""
        is_long = longest > 0 and self.end - self.start >= longest
        return self.n >= least or (is_long and self.n > 0)

    def absorb(self, earlier: Window) -> None:
        """Take over a window that was too small to be scored; this one starts where it did."""
        self.start = min(self.start, earlier.start)
        self.sample.merge(earlier.sample)
        self.tallies.merge(earlier.tallies)
        self.n += earlier.n
        self.weight += earlier.weight
        self._predicted += earlier._predicted
        self._weighed += earlier._weighed


def _floats(column: pa.Array) -> np.ndarray[Any, np.dtype[np.float64]]:
    values: np.ndarray[Any, np.dtype[np.float64]] = column.to_numpy(zero_copy_only=False)
    return values
