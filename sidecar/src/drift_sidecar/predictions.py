"""Predictions: one window's served predictions counted in the bundle's cells, by weekday."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from drift_sidecar.reference import Reference
from driftloop_contracts.baseline import FeatureBaseline
from driftloop_contracts.drift.distribution import Distribution, Stratum
from driftloop_contracts.drift.served import Served

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]


class Predictions:
    """The counts of one window; they add up with those of its neighbour."""

    def __init__(self, baseline: FeatureBaseline, known: Distribution) -> None:
        self._rule, self._known = baseline.rule(known), known
        self.strata = len(known.strata)
        self._cells = np.zeros((self.strata, known.cells))
        self._sums = np.zeros((3, self.strata))  # weight of the missing, of all, its squares
        self._rows, self._least, self._most = 0, math.inf, -math.inf

    @classmethod
    def of(cls, reference: Reference) -> Predictions | None:
        """Return empty counts, or None where the bundle does not say how to count."""
        own = reference.predictions
        if own is None or own.distribution is None:
            return None
        return cls(own, own.distribution)

    def add(self, values: Floats, weights: Floats, stratum: Codes) -> None:
        """Count rows; a value that is NaN is missing."""
        present, place = ~np.isnan(values), stratum % self.strata
        codes = place[present] * self._known.cells + self._known.codes(values[present])
        counts = np.bincount(codes, weights[present], self._cells.size)
        self._cells += counts.reshape(self._cells.shape)
        for sums, each in zip(self._sums, (weights * ~present, weights, weights**2), strict=True):
            sums += np.bincount(place, each, self.strata)
        self._rows += len(values)
        self._span(values[present])

    def merge(self, other: Predictions) -> None:
        """Take over what another window counted."""
        self._cells += other._cells
        self._sums += other._sums
        self._rows += other._rows
        self._span(np.array([other._least, other._most]))

    def served(self) -> Served:
        """Return the counts as an event carries them."""
        strata = (
            Stratum(tuple(cells.tolist()), *sums.tolist())
            for cells, sums in zip(self._cells, self._sums.T, strict=True)
        )
        only = str(self._least) if self._least == self._most else ""
        return Served(self._rule, tuple(strata), self._rows, only)

    def _span(self, values: Floats) -> None:
        if len(values):
            self._least = min(self._least, float(values.min()))
            self._most = max(self._most, float(values.max()))
