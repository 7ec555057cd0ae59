"""Rules of alarm that others use, named by what they do, on the streams of alarms.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

DAY, PER_DAY, REFERENCE = 86400, 5000, 28
"""Seconds of a day, rows of a day, days of the reference."""
Columns = list[Any]
Stream = Callable[[int, np.random.Generator], Columns]


def part(columns: Columns, first: int, last: int) -> Columns:
    """Return the rows from ``first`` to before ``last``."""
    return [column[first:last] for column in columns]


def batches(stream: Stream, seed: int, days: int) -> int:
    """Return alarms of: each day's batch, two-sample tests at 0.05 over the features' number."""
    rng = np.random.default_rng(seed)
    columns = stream((REFERENCE + days) * PER_DAY, rng)
    split, alarms = REFERENCE * PER_DAY, 0
    for first in range(split, len(columns[0]), PER_DAY):
        p = [_two_sample(c[:split], c[first : first + PER_DAY]) for c in columns]
        alarms += min(p) < 0.05 / len(p)
    return alarms


def _two_sample(usual: Any, fresh: Any) -> float:
    if usual.dtype != object:
        return float(stats.ks_2samp(usual, fresh, method="asymp").pvalue)
    names = np.unique(np.concatenate([usual, fresh]).astype(str))
    table = [[np.sum(side == name) for name in names] for side in (usual, fresh)]
    return float(stats.chi2_contingency(table)[1])


def every_half_minute(stream: Stream, seed: int, days: int) -> int:
    """Return alarms of: every 30 s, Kolmogorov-Smirnov p < 0.05 on the last 100 rows."""
    known, columns = _numbers(stream, seed, days)
    ends = (np.arange(30, days * DAY, 30) * PER_DAY) // DAY
    hits = np.zeros(len(ends), dtype=bool)
    for before, after in zip(known, columns, strict=True):
        before = np.sort(before)
        window = np.lib.stride_tricks.sliding_window_view(after, 100)
        below = np.searchsorted(before, np.sort(window, axis=1)) / len(before)
        steps = np.arange(101) / 100
        gap = np.maximum(steps[1:] - below, below - steps[:-1]).max(axis=1)
        p = stats.kstwobign.sf(gap * np.sqrt(100 * len(before) / (100 + len(before))))
        hits |= (p < 0.05)[np.maximum(ends - 100, 0)] & (ends >= 100)
    return rises(hits)


def ten_minutes(stream: Stream, seed: int, days: int) -> int:
    """Return alarms of: Welch's p < 0.05 for 10 minutes on the last 5,000 rows."""
    known, columns = _numbers(stream, seed, days + 1)
    minutes = np.arange(DAY, (days + 1) * DAY, 60) * PER_DAY // DAY
    hits = np.zeros(len(minutes), dtype=bool)
    for before, after in zip(known, columns, strict=True):
        total, square = (np.append(0, np.cumsum(after**power)) for power in (1, 2))
        mean = (total[minutes] - total[minutes - PER_DAY]) / PER_DAY
        spread = (square[minutes] - square[minutes - PER_DAY]) / PER_DAY - mean**2
        error = np.sqrt(spread / PER_DAY + before.var() / len(before))
        wrong = 2 * stats.norm.sf(np.abs(mean - before.mean()) / error) < 0.05
        hits |= np.convolve(wrong, np.ones(10))[: len(wrong)] >= 10
    return rises(hits)


def _numbers(stream: Stream, seed: int, days: int) -> tuple[Columns, Columns]:
    rng, split = np.random.default_rng(seed), REFERENCE * PER_DAY
    columns = [
        c.astype(float) if c.dtype != object else (c == c[0]).astype(float)
        for c in stream(split + days * PER_DAY, rng)
    ]
    return part(columns, 0, split), part(columns, split, len(columns[0]))


def rises(hits: Any) -> int:
    """Return how many alarms begin: one that lasts counts once."""
    return int(hits[0]) + int((hits[1:] & ~hits[:-1]).sum())


PEERS = {
    "two-sample tests p<0.05/features, batches of 5,000": batches,
    "every 30 s KS p<0.05 on the last 100 rows": every_half_minute,
    "mean shift p<0.05 for 10 min on the last 5,000": ten_minutes,
}
