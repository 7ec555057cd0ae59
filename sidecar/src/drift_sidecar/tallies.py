"""Tallies: a window's rows counted in the cells of the reference, every one by its weight.

Small batches wait until there are enough of them: counting one row costs as much as hundreds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from drift_sidecar.batches import gathered
from drift_sidecar.predictions import Predictions
from drift_sidecar.reference import Reference
from driftloop_contracts.baseline import FeatureBaseline
from driftloop_contracts.drift import distribution
from driftloop_contracts.drift.distribution import Distribution
from driftloop_contracts.drift.observed import Observed
from driftloop_contracts.drift.served import Served
from driftloop_contracts.drift.tally import Tally

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

RUN = 4096
"""Rows that are counted together."""
SEVERAL = "\0"
"""Stands for more than one value."""


class Tallies:
    """The counts of one window; they add up with those of its neighbour."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._counts = [_Counts(f, reference.distributions[f.name]) for f in reference.features]
        self._names = [feature.name for feature in reference.features]
        self._predictions = Predictions.of(reference)
        self._columns = [*self._names, "weight", "event_time"]
        self._columns += ["prediction"] if self._predictions else []
        strata = [len(counts.known.strata) for counts in self._counts]
        self._strata = max(strata + ([self._predictions.strata] if self._predictions else []))
        self.weights, self.square, self.rows = np.zeros(self._strata), 0.0, 0
        self._pending: list[pa.RecordBatch] = []
        self._waiting = 0

    def add(self, records: pa.RecordBatch) -> None:
        """Count the rows of one batch, now or with the next."""
        self._pending.append(records.select(self._columns))
        self._pending = gathered(self._pending)
        self._waiting += records.num_rows
        if self._waiting >= RUN:
            self._count()

    def merge(self, other: Tallies) -> None:
        """Take over what another window counted."""
        self._count()
        other._count()
        for own, more in zip(self._counts, other._counts, strict=True):
            own.merge(more)
        if self._predictions and other._predictions:
            self._predictions.merge(other._predictions)
        self.weights = self.weights + other.weights
        self.square += other.square
        self.rows += other.rows

    def observed(self) -> list[Observed]:
        """Return every feature as an event carries it."""
        self._count()
        return [self._observed(counts) for counts in self._counts]

    def served(self) -> Served | None:
        """Return the predictions as an event carries them, where the bundle has them watched."""
        self._count()
        return self._predictions.served() if self._predictions else None

    @property
    def kish(self) -> float:
        """Return the rows of equal weight that these are worth."""
        self._count()
        return float(self.weights.sum() ** 2 / self.square) if self.square else 0.0

    @property
    def weekdays(self) -> tuple[int, ...]:
        """Return the weekdays that the window has rows of; none where weeks do not matter."""
        self._count()
        return tuple(np.flatnonzero(self.weights).tolist()) if self._strata > 1 else ()

    def _count(self) -> None:
        if not self._pending:
            return
        table = pa.Table.from_batches(self._pending).combine_chunks()
        self._pending, self._waiting = [], 0
        weights = table["weight"].to_numpy()
        stratum = self._stratum(table)
        for counts in self._counts:
            counts.add(table[counts.feature.name], weights, stratum)
        if self._predictions:
            self._predictions.add(table["prediction"].to_numpy(), weights, stratum)
        self.weights += np.bincount(stratum, weights, self._strata)
        self.square += float((weights**2).sum())
        self.rows += table.num_rows

    def _stratum(self, table: pa.Table) -> Codes:
        if self._strata == 1:
            return np.zeros(table.num_rows, dtype=np.int64)
        seconds = table["event_time"].cast(pa.int64()).to_numpy() // 1_000_000
        found: Codes = distribution.weekday(seconds)
        return found

    def _observed(self, counts: _Counts) -> Observed:
        known = counts.known
        whole = len(known.strata) == 1
        usual = known.expect([self.weights.sum()] if whole else self.weights.tolist())
        tally = Tally(
            tuple(counts.cells.tolist()),
            counts.missing,
            self.rows,
            float(self.weights.sum()),
            self.square,
            usual.shares,
            usual.missing,
            usual.rows,
        )
        only = "" if counts.only in (None, SEVERAL) else str(counts.only)
        return Observed(counts.feature.rule(known), tally, counts.outside, only)


class _Counts:
    """What is counted of one feature."""

    def __init__(self, feature: FeatureBaseline, known: Distribution) -> None:
        self.feature, self.known = feature, known
        self.cells = np.zeros(known.cells)
        self.missing, self.outside = 0.0, 0.0
        self.only: str | None = None
        self._set = pa.array(known.categories, pa.string())

    def add(self, column: pa.ChunkedArray, weights: Floats, stratum: Codes) -> None:
        present = column.is_valid().to_numpy()
        own, values = weights[present], column.drop_null()
        self.missing += float(weights[~present].sum())
        if not len(values):
            return
        if self.feature.kind == "categorical":
            found = pc.fill_null(pc.index_in(values, value_set=self._set), len(self._set))
            codes, numbers = found.to_numpy(), None
        else:
            numbers = values.to_numpy()
            codes = self.known.codes(numbers)
            self.outside += self._outside(numbers, own)
        self.cells += np.bincount(codes, own, self.known.cells)
        self._note(_single(values, codes, numbers))

    def merge(self, other: _Counts) -> None:
        self.cells = self.cells + other.cells
        self.missing += other.missing
        self.outside += other.outside
        if other.only is not None:
            self._note(other.only)

    def _note(self, only: str) -> None:
        self.only = only if self.only in (None, only) else SEVERAL

    def _outside(self, values: Floats, weights: Floats) -> float:
        low, high = self.feature.low, self.feature.high
        below = values < low if low is not None else np.zeros(len(values), dtype=bool)
        above = values > high if high is not None else np.zeros(len(values), dtype=bool)
        return float(weights[below | above].sum())


def _single(values: pa.ChunkedArray, codes: Codes, numbers: Floats | None) -> str:
    """Return the one value that all have, or SEVERAL."""
    if codes[0] != codes[-1]:
        return SEVERAL
    first = values[0].as_py()
    if numbers is not None:
        alike = bool((numbers == first).all())
    else:
        alike = bool(pc.all(pc.equal(values, first)).as_py())
    return str(first) if alike else SEVERAL
