"""Causes: why a value that was served is not what training would join, told from values and times.

The first that holds counts. Times tell most: the row that was served and the row that training
joins are the same, or one of them is newer, too old or unknown to the other side. Of one and the
same row the values tell the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from driftloop.spec.features import Column

Times: TypeAlias = "pd.Series[pd.Timestamp]"
Flags = NDArray[np.bool_]
STRAIGHT = 1e-6
"""How near to one straight line values must lie to be the same quantity in another unit."""
LEAST = 3
"""Different values that a line must go through; two always lie on one."""
FACTORS = np.array([10.0**n for n in range(1, 13)] + [24.0, 60.0, 1024.0, 3600.0, 86400.0])
"""Between units that are often mixed up: one pair of values tells these."""


class Cause(StrEnum):
    """What is likely wrong; the value is what a table shows."""

    EXPIRED = "TTL: an expired value was served"
    EARLY = "early: a value of later than the request was served"
    LATE_ROW = "late row: written or materialized after it was needed"
    UNKNOWN_ROW = "unknown row: the offline store does not have it as of then"
    DEFAULT = "default: one side has the default for a value"
    NULL = "null: one side has no value"
    TYPE = "type: equal but for how it is stored"
    UNIT = "unit: one side is the other in another unit"
    VALUE = "value: the same row was changed"


@dataclass(frozen=True)
class Pair:
    """One feature of some records as it was served and as training joins it; equal lengths.

    ``served_time``, ``joined_time``: event times of the rows, missing where there was none;
    ``served_time`` is None where the log does not say. ``asked``: the records' event times.
    """

    column: Column
    served: NDArray[Any]
    joined: NDArray[Any]
    served_time: Times | None
    joined_time: Times
    asked: Times
    ttl: timedelta | None

    def at(self, rows: Flags) -> Pair:
        """Return the pair of some of the records."""
        told = self.served_time
        return Pair(
            self.column,
            self.served[rows],
            self.joined[rows],
            None if told is None else told[rows],
            self.joined_time[rows],
            self.asked[rows],
            self.ttl,
        )


def of(pair: Pair) -> list[Cause]:
    """Return the likely cause of each record's difference; every record of ``pair`` differs."""
    count = len(pair.served)
    rules = {**_of_times(pair), **_of_values(pair)}
    left, found = np.ones(count, bool), np.full(count, Cause.VALUE, object)
    for cause, holds in rules.items():
        found[left & holds] = cause
        left &= ~holds
    unit = np.flatnonzero(left)[_one_line(pair, left)]
    found[unit] = Cause.UNIT
    return found.tolist()


def _of_times(pair: Pair) -> dict[Cause, Flags]:
    if pair.served_time is None:
        return {}
    served, joined, asked = (
        times.reset_index(drop=True) for times in (pair.served_time, pair.joined_time, pair.asked)
    )
    longest = pd.Timedelta.max if pair.ttl is None else pair.ttl
    return {
        Cause.EXPIRED: (asked - served > longest).to_numpy(),
        Cause.EARLY: (served > asked).to_numpy(),
        Cause.LATE_ROW: (joined.notna() & ~(served >= joined)).to_numpy(),
        Cause.UNKNOWN_ROW: (served.notna() & ~(joined >= served)).to_numpy(),
    }


def _of_values(pair: Pair) -> dict[Cause, Flags]:
    served, joined, default = pair.served, pair.joined, pair.column.default
    return {
        Cause.DEFAULT: (served == default) | (joined == default),
        Cause.NULL: pd.isna(served) | pd.isna(joined),
        Cause.TYPE: _alike(served, joined),
        Cause.UNIT: _by_a_factor(served, joined),
    }


def _alike(served: NDArray[Any], joined: NDArray[Any]) -> Flags:
    """Return where two values are one number, written otherwise, rounded or cut off."""
    ours, theirs = (_numbers(values) for values in (served, joined))
    small = np.isclose(ours, theirs, rtol=1e-6, atol=0)  # As of 32 bits.
    cut = ((ours == np.trunc(theirs)) & (ours != 0)) | ((theirs == np.trunc(ours)) & (theirs != 0))
    alike: Flags = small | cut
    return alike


def _by_a_factor(served: NDArray[Any], joined: NDArray[Any]) -> Flags:
    """Return where one value is the other times one of ``FACTORS``."""
    ours, theirs = (_numbers(values) for values in (served, joined))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = ours / theirs
        ratio = np.where(np.abs(ratio) < 1, 1 / ratio, ratio)
    factors: Flags = np.isclose(ratio[:, None], FACTORS, rtol=STRAIGHT, atol=0).any(axis=1)
    return factors


def _numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    return pd.to_numeric(pd.Series(values), errors="coerce").to_numpy("float64")


def _one_line(pair: Pair, rows: Flags) -> Flags:
    """Return which of ``rows`` lie on the one line that nearly all of them lie on."""
    none: Flags = np.zeros(int(rows.sum()), bool)
    if pair.column.kind != "numeric" or len(np.unique(pair.joined[rows])) < LEAST:
        return none
    served, joined = (v[rows].astype("float64") for v in (pair.served, pair.joined))
    slope, start = _line(joined, served)
    near: Flags = np.abs(slope * joined + start - served) <= STRAIGHT * np.abs(served).max()
    return near if near.mean() > 0.9 and slope else none


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and start of the line through the middle of y at the lower and upper x.

    One odd value moves a mean; the ends are medians instead.
    """
    order = np.argsort(x, kind="stable")
    third = max(1, len(x) // 3)
    low, high = order[:third], order[-third:]
    a, b = low[third // 2], high[third // 2]
    if x[a] == x[b]:
        return 0.0, 0.0
    slope = float((y[b] - y[a]) / (x[b] - x[a]))
    return slope, float(y[a] - slope * x[a])
