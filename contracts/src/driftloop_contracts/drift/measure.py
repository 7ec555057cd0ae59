"""Measure: a feature's Distribution from the rows of the reference period.

Rows of a regime that ended (before a change) tell how much quiet days vary, but nothing of what
to expect: they count for the design effect alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from driftloop_contracts.drift import distribution, effective, partition
from driftloop_contracts.drift.distribution import WEEK, Distribution, Stratum

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

MIN_DAYS = 2
"""Days of each weekday without which weekdays are not told apart."""
LATEST = 0.25
"""Share of the rows, the latest ones, whose new categories say how many are usual."""
MOST = 300_000
"""Latest rows that the design effect is estimated from."""


@dataclass(frozen=True)
class Rows:
    """When the reference's rows happened, in the order of time.

    ``seconds``: since the epoch; ``weights``; ``cells``: the window of each; ``current``: whether
    it is of the present regime; ``weekly``: whether weekdays are compared with weekdays;
    ``longest``: rows of a window.
    """

    seconds: Codes
    weights: Floats
    cells: Codes
    current: np.ndarray[Any, np.dtype[np.bool_]]
    weekly: bool
    longest: int

    @property
    def strata(self) -> int:
        """Return 7 where every weekday is there often enough, else 1."""
        days = np.unique(self.seconds[self.current] // distribution.DAY)
        seen = np.bincount(distribution.weekday(days * distribution.DAY), minlength=WEEK)
        return WEEK if self.weekly and seen.min() >= MIN_DAYS else 1

    @property
    def stratum(self) -> Codes:
        """Return the stratum of each row."""
        if self.strata == 1:
            return np.zeros(len(self.seconds), dtype=np.int64)
        found: Codes = distribution.weekday(self.seconds)
        return found


def numeric(values: Floats, rows: Rows) -> Distribution:
    """Return the distribution of a numeric feature; a missing value is NaN."""
    present = np.isfinite(values)
    own = present & rows.current
    cuts = partition.cuts(values[own], rows.weights[own]) if own.any() else ()
    codes = np.where(present, partition.numeric(np.nan_to_num(values), cuts), -1)
    hits = codes[:, None] <= np.arange(len(cuts))
    return _distribution(codes, hits, rows, cuts=cuts)


def categorical(values: list[str | None], rows: Rows) -> Distribution:
    """Return the distribution of a categorical feature; a missing value is None."""
    texts = np.array(["" if v is None else v for v in values], dtype=object)
    present = np.array([v is not None for v in values], dtype=bool)
    own = present & rows.current
    known = partition.categories(texts[own], rows.weights[own]) if own.any() else ()
    codes = np.where(present, partition.categorical(texts, known), -1)
    hits = codes[:, None] == np.arange(len(known))
    unseen = _unseen(texts[own], rows.weights[own], known)
    return _distribution(codes, hits, rows, categories=known or ("",), unseen=unseen)


def _distribution(
    codes: Codes,
    hits: Any,
    rows: Rows,
    cuts: tuple[float, ...] = (),
    categories: tuple[str, ...] = (),
    unseen: float = 0.0,
) -> Distribution:
    stratum, present = rows.stratum, codes >= 0
    groups = stratum * 2 + rows.current
    cells = len(cuts or categories) + 1
    return Distribution(
        cuts,
        categories,
        tuple(_stratum(codes, rows, stratum == s, cells) for s in range(rows.strata)),
        _effect(hits, groups, rows, present),
        _effect(~present[:, None], groups, rows, np.ones(len(codes), dtype=bool)),
        unseen,
    )


def _stratum(codes: Codes, rows: Rows, inside: Any, cells: int) -> Stratum:
    own = inside & rows.current
    present, weights = own & (codes >= 0), rows.weights
    counts = np.bincount(codes[present], weights[present], minlength=cells)
    return Stratum(
        tuple(counts.tolist()),
        float(weights[own & (codes < 0)].sum()),
        float(weights[own].sum()),
        float((weights[own] ** 2).sum()),
    )


def _effect(hits: Any, groups: Codes, rows: Rows, used: Any) -> float:
    places = np.flatnonzero(used)[-MOST:]
    if len(places) < 2 or not hits.shape[1]:
        return 1.0
    kinds = np.unique(groups[places], return_inverse=True)[1].astype(np.int64)
    return effective.design_effect(
        hits[places], rows.weights[places], kinds, rows.cells[places], rows.longest
    )


def _unseen(values: Any, weights: Floats, known: tuple[str, ...]) -> float:
    """Return the weight's share, in the latest rows, of categories the earlier ones lack."""
    kept = set(known)
    without = sum(w for v, w in zip(values, weights, strict=True) if v not in kept)
    split = int(len(values) * (1 - LATEST))
    early, late = set(values[:split]), weights[split:]
    if not early or not late.sum():
        return float(without / max(weights.sum(), 1e-300))
    fresh = sum(w for v, w in zip(values[split:], late, strict=True) if v not in early & kept)
    return float(fresh / late.sum())
