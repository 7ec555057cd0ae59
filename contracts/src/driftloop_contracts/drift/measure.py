"""Measure: a feature's Distribution from the rows of the reference period.

Rows of a regime that ended (before a change) tell how much quiet days vary, but nothing of what
to expect: they count for the design effect alone, the larger of both regimes'. A change that is
two days old cannot tell by itself how slowly a feature wanders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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
        days = np.unique(self.seconds // distribution.DAY)
        seen = np.bincount(distribution.weekday(days * distribution.DAY), minlength=WEEK)
        return WEEK if self.weekly and seen.min() >= MIN_DAYS else 1

    @property
    def stratum(self) -> Codes:
        """Return the stratum of each row."""
        if self.strata == 1:
            return np.zeros(len(self.seconds), dtype=np.int64)
        found: Codes = distribution.weekday(self.seconds)
        return found

    def among(self, chosen: Any) -> Rows:
        """Return some of the rows, as a regime of their own."""
        arrays = {name: getattr(self, name)[chosen] for name in ("seconds", "weights", "cells")}
        return replace(self, **arrays, current=np.ones(int(chosen.sum()), dtype=bool))


def numeric(values: Floats, rows: Rows) -> Distribution:
    """Return the distribution of a numeric feature; a missing value is NaN."""
    return _by_regime(_numeric, values, rows)


def categorical(values: Any, rows: Rows) -> Distribution:
    """Return the distribution of a categorical feature: texts; a missing value is None."""
    return _by_regime(_categorical, np.array(values, dtype=object), rows)


def _by_regime(
    measured: Callable[[Any, Rows], Distribution], values: Any, rows: Rows
) -> Distribution:
    now = measured(values[rows.current], rows.among(rows.current))
    if rows.current.all():
        return now
    before = measured(values[~rows.current], rows.among(~rows.current))
    names = ("design_effect", "missing_design_effect")
    return replace(now, **{n: max(getattr(now, n), getattr(before, n)) for n in names})


def _numeric(values: Floats, rows: Rows) -> Distribution:
    present = np.isfinite(values)
    cuts = partition.cuts(values[present], rows.weights[present]) if present.any() else ()
    codes = np.where(present, partition.numeric(np.nan_to_num(values), cuts), -1)
    hits = codes[:, None] <= np.arange(len(cuts))
    return _distribution(codes, hits, rows, cuts=cuts)


def _categorical(values: Any, rows: Rows) -> Distribution:
    present = np.array([v is not None for v in values], dtype=bool)
    texts, weights = values[present], rows.weights[present]
    known = partition.categories(texts, weights) if present.any() else ()
    codes = np.full(len(values), -1)
    codes[present] = partition.categorical(texts, known)
    hits = codes[:, None] == np.arange(len(known))
    unseen = _unseen(texts, weights, known)
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
    cells = len(cuts or categories) + 1
    return Distribution(
        cuts,
        categories,
        tuple(_stratum(codes, rows, stratum == s, cells) for s in range(rows.strata)),
        _effect(hits, stratum, rows, present),
        _effect(~present[:, None], stratum, rows, np.ones(len(codes), dtype=bool)),
        unseen,
    )


def _stratum(codes: Codes, rows: Rows, inside: Any, cells: int) -> Stratum:
    present, weights = inside & (codes >= 0), rows.weights
    counts = np.bincount(codes[present], weights[present], minlength=cells)
    return Stratum(
        tuple(counts.tolist()),
        float(weights[inside & (codes < 0)].sum()),
        float(weights[inside].sum()),
        float((weights[inside] ** 2).sum()),
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
