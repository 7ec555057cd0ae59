"""Distribution: a feature's reference, counted in cells, for each weekday where weeks matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from driftloop_contracts.drift import effective, partition

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

DAY = 86400
WEEK = 7
WEEKDAY = "__weekday"
"""The reference sample's column that says the day of the week, where weeks matter."""
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


def weekday(seconds: Any) -> Any:
    """Return the UTC weekday of an instant or of many, in seconds since the epoch; Monday is 0.

    >>> weekday(0), weekday(4 * 86400)
    (3, 0)
    """
    return (seconds // DAY + EPOCH_WEEKDAY) % WEEK


@dataclass(frozen=True)
class Stratum:
    """The reference's rows of one weekday, or all of them: as a Tally counts them."""

    counts: tuple[float, ...]
    missing: float
    weight: float
    square: float

    def __add__(self, other: Stratum) -> Stratum:
        """Return the rows of both; zip is strict, so both have the same cells."""
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        own = self.missing + other.missing, self.weight + other.weight
        return Stratum(counts, *own, self.square + other.square)


@dataclass(frozen=True)
class Expectation:
    """What a window's days lead to expect: shares a cell, missing share, independent rows."""

    shares: tuple[float, ...]
    missing: float
    rows: float


@dataclass(frozen=True)
class Distribution:
    """One feature's reference.

    ``cuts`` or ``categories``: its cells (partition.py); ``strata``: one, or seven from Monday
    on; ``unseen``: the share of values, in days to come, that the categories will lack.
    """

    cuts: tuple[float, ...]
    categories: tuple[str, ...]
    strata: tuple[Stratum, ...]
    design_effect: float
    missing_design_effect: float
    unseen: float = 0.0

    @property
    def cells(self) -> int:
        """Return the number of cells."""
        return len(self.strata[0].counts)

    def codes(self, values: Any) -> Codes:
        """Return the cells of values that are present: floats, or texts."""
        if self.categories:
            return partition.categorical(values, self.categories)
        return partition.numeric(values, self.cuts)

    def expect(self, weights: Sequence[float]) -> Expectation:
        """Return what to expect of a window with so much weight in each stratum."""
        usual = expected(self.strata, weights)
        if not self.categories:
            return usual
        known = tuple(share * (1 - self.unseen) for share in usual.shares[:-1])
        return replace(usual, shares=(*known, self.unseen))


def expected(strata: Sequence[Stratum], weights: Sequence[float]) -> Expectation:
    """Return what these strata lead to expect of a window with so much weight in each.

    Independent rows: those of one sample whose mean varies as the weighted mean of the
    strata's does, 1 / sum(w^2 / m).
    """
    share = np.asarray(weights, dtype=np.float64)
    share = share / share.sum() if share.sum() > 0 else np.full(len(share), 1 / len(share))
    counts = np.array([_shares(stratum) for stratum in strata])
    missing = [stratum.missing / max(stratum.weight, 1e-300) for stratum in strata]
    rows = np.array([effective.rows(s.weight, s.square) for s in strata])
    used = share > 0
    behind = 1 / float((share[used] ** 2 / np.maximum(rows[used], 1e-9)).sum())
    return Expectation(tuple((share @ counts).tolist()), float(share @ missing), behind)


def from_data(data: Mapping[str, Any]) -> Distribution:
    """Return the distribution that a baseline's JSON holds; raise TypeError or KeyError."""
    strata = tuple(Stratum(**{**s, "counts": tuple(s["counts"])}) for s in data["strata"])
    if len(strata) not in (1, WEEK) or len({len(s.counts) for s in strata}) != 1:
        raise ValueError(f"a distribution has 1 or {WEEK} strata of as many cells")
    own = {name: tuple(data[name]) for name in ("cuts", "categories")}
    found = Distribution(**{**data, **own, "strata": strata})
    if found.cells != len(found.cuts or found.categories) + 1 or found.design_effect < 1:
        raise ValueError("a distribution has a cell more than cuts or categories")
    return found


def _shares(stratum: Stratum) -> Floats:
    counts = np.array(stratum.counts)
    shares: Floats = counts / counts.sum() if counts.sum() > 0 else counts
    return shares
