"""Calibration: how far quiet windows lie from the reference, and so what is unusual.

Independent-sample p-values fail on real traffic: rows of one day resemble each other. So every
window of the reference period is compared with the rest of its own regime, and the threshold of
a feature is the upper prediction bound for one more such distance,

    threshold = mean + t(1 - alpha, k - 1) * sd * sqrt(1 + 1/k)      (k windows, alpha per test)

but never below the minimum effect worth a retraining. A threshold of 1 or more means that the
feature cannot be told from its own days' variation, and never fires alone. A regime ends where
a change was found, so that the change itself is not taken for quiet variation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import numpy as np
import pandas as pd
from scipy import stats

from driftloop.drift import budget
from driftloop.loop import LearningLoop
from driftloop.spec.features import Column
from driftloop_contracts.baseline import Baseline, FeatureBaseline, total_variation

MIN_WINDOWS = 4
"""Fewer quiet windows than this say nothing about spread: the minimum effect stands alone."""


def build(
    rows: pd.DataFrame, loop: LearningLoop, onset: datetime | None, rng: np.random.Generator
) -> tuple[pd.DataFrame, Baseline]:
    """Return the reference sample (monitored columns) and the baseline with its thresholds.

    ``rows``: joined training rows; after a change at ``onset`` only later rows are reference.
    """
    drift, columns = loop.spec.drift, [c for c in loop.spec.features.columns if c.monitored]
    recent = rows[rows["event_time"] >= rows["event_time"].max() - drift.reference.days]
    level = budget.level(drift.false_alarms, drift.window.duration, len(columns))
    windows = list(_windows(recent, loop, onset))
    features = tuple(_feature(column, recent, windows, level, loop, rng) for column in columns)
    reference = _sample(_since(recent, onset), drift.reference.rows, rng)
    seconds = int(drift.window.duration.total_seconds())
    others = [(c.name, c.kind) for c in loop.spec.features.columns if not c.monitored]
    baseline = Baseline(
        loop.name, seconds, drift.window.min_rows, level, features, unmonitored=tuple(others)
    )
    return reference[[column.name for column in columns]].reset_index(drop=True), baseline


def effect(kind: str, window: pd.Series[float], reference: pd.Series[float]) -> float:
    """Return the distance of two samples without their missing values, in [0, 1].

    Kolmogorov-Smirnov for 'numeric', total variation for 'categorical'.
    """
    window, reference = window.dropna(), reference.dropna()
    if window.empty or reference.empty:
        return 0.0
    if kind == "categorical":
        return total_variation(Counter(window.astype(str)), Counter(reference.astype(str)))
    return float(stats.ks_2samp(window, reference, method="asymp").statistic)


def threshold(distances: list[float], level: float, min_effect: float) -> float:
    """Return the prediction bound over quiet windows' ``distances``, at least ``min_effect``.

    >>> threshold([0.02, 0.03, 0.02, 0.03], level=0.001, min_effect=0.1)
    0.1
    """
    count = len(distances)
    if count < MIN_WINDOWS:
        return min_effect
    spread = float(np.std(distances, ddof=1)) * math.sqrt(1 + 1 / count)
    bound = float(np.mean(distances)) + float(stats.t.ppf(1 - level, count - 1)) * spread
    return max(min_effect, bound)


def _windows(
    recent: pd.DataFrame, loop: LearningLoop, onset: datetime | None
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Yield (window, rest of its regime) for every window with enough rows."""
    window = loop.spec.drift.window
    cell = recent["event_time"].dt.floor(window.duration)
    later = cell >= (pd.Timestamp(onset) if onset else cell.max() + window.duration)
    for regime in (recent[~later], recent[later]):
        cells = cell[regime.index]
        for start in cells.unique():
            inside, outside = regime[cells == start], regime[cells != start]
            if len(inside) >= window.min_rows and not outside.empty:
                yield inside, outside


def _feature(
    column: Column,
    recent: pd.DataFrame,
    windows: list[tuple[pd.DataFrame, pd.DataFrame]],
    level: float,
    loop: LearningLoop,
    rng: np.random.Generator,
) -> FeatureBaseline:
    name, size = column.name, loop.spec.drift.reference.rows
    distances = [effect(column.kind, w[name], _sample(r, size, rng)[name]) for w, r in windows]
    moving = [w[name].nunique() > 1 for w, _ in windows]
    categorical = column.kind == "categorical"
    least = column.min_effect or loop.spec.drift.min_effect
    return FeatureBaseline(
        name=name,
        kind=column.kind,
        threshold=threshold(distances, level, least),
        max_missing=max(column.max_missing, 2 * float(recent[name].isna().mean())),
        varies=bool(moving) and float(np.mean(moving)) > 0.95,
        categories=tuple(sorted(recent[name].dropna().astype(str).unique())) if categorical else (),
        low=column.range[0],
        high=column.range[1],
    )


def _since(rows: pd.DataFrame, onset: datetime | None) -> pd.DataFrame:
    later = rows[rows["event_time"] >= pd.Timestamp(onset)] if onset else rows
    return rows if later.empty else later


def _sample(rows: pd.DataFrame, size: int, rng: np.random.Generator) -> pd.DataFrame:
    return rows if len(rows) <= size else rows.iloc[rng.choice(len(rows), size, replace=False)]
