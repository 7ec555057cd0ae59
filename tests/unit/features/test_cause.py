"""Causes: what is likely wrong, told from values and times."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.features import cause
from driftloop.features.cause import Cause, Pair
from driftloop.spec.features import Column

NOON = pd.Timestamp("2026-01-01T12:00Z").as_unit("us")


def times(*hours: float | None) -> pd.Series:
    found = [pd.NaT if hour is None else NOON + pd.Timedelta(hours=hour) for hour in hours]
    return pd.Series(found, dtype="datetime64[us, UTC]")


def pair(served: list[Any], joined: list[Any], kind: str = "numeric", **given: Any) -> Pair:
    count = len(served)
    settings = {"name": "rate", "kind": kind, "origin": "stats"} | given.pop("column", {})
    dtype = "float64" if kind == "numeric" else object
    values = [np.array(v, dtype) for v in (served, joined)]
    same = times(*[-1.0] * count)
    defaults = {"served_time": same, "joined_time": same, "ttl": timedelta(hours=5)}
    return Pair(Column(**settings), *values, asked=times(*[0.0] * count), **defaults | given)


@pytest.mark.parametrize(
    ("served", "joined", "expected"),
    [
        (-6, None, Cause.EXPIRED),
        (-6, -1, Cause.EXPIRED),
        (1, -1, Cause.EARLY),
        (-2, -1, Cause.LATE_ROW),
        (None, -1, Cause.LATE_ROW),
        (-1, -2, Cause.UNKNOWN_ROW),
        (-1, None, Cause.UNKNOWN_ROW),
        (-1, -1, Cause.VALUE),
        (-5, -5, Cause.VALUE),
    ],
)
def test_times_tell(served: float | None, joined: float | None, expected: Cause) -> None:
    found = pair([0.3], [0.7], served_time=times(served), joined_time=times(joined))
    assert cause.of(found) == [expected]


@pytest.mark.parametrize(
    ("served", "joined", "expected"),
    [
        ([0.1], [0.1 + 1e-9], Cause.TYPE),
        ([float(np.float32(0.1))], [0.1], Cause.TYPE),
        ([3.0], [3.7], Cause.TYPE),
        ([None], [3.7], Cause.NULL),
        ([-1.0], [3.7], Cause.DEFAULT),
        ([2.5], [3.7], Cause.VALUE),
        ([0.037], [3.7], Cause.UNIT),
        ([222.0], [3.7], Cause.UNIT),
    ],
)
def test_values_of_one_row_tell(served: list[Any], joined: list[Any], expected: Cause) -> None:
    column = {"if_absent": "default", "default": -1.0}
    assert cause.of(pair(served, joined, column=column)) == [expected]


@pytest.mark.parametrize(("slope", "start"), [(100.0, 0.0), (1.8, 32.0), (-1.0, 0.0)])
def test_values_on_one_line_are_another_unit(slope: float, start: float) -> None:
    joined = [0.12, 0.35, 0.41, 7.77, 2.02, 5.3, 0.9, 1.1, 1.2, 3.3, 6.1, 8.8]
    served = [slope * value + start for value in joined]
    assert cause.of(pair(served, joined)) == [Cause.UNIT] * len(joined)


def test_one_odd_value_among_those_of_another_unit_stays_odd() -> None:
    joined = [float(n) + 0.5 for n in range(30)]
    served = [100 * value for value in joined[:-1]] + [0.77]
    assert cause.of(pair(served, joined)) == [Cause.UNIT] * 29 + [Cause.VALUE]


def test_values_without_a_rule_are_no_other_unit() -> None:
    rng = np.random.default_rng(0)
    served, joined = rng.normal(size=50).tolist(), rng.normal(size=50).tolist()
    assert cause.of(pair(served, joined)) == [Cause.VALUE] * 50


def test_a_category_written_as_a_number_is_a_type() -> None:
    assert cause.of(pair(["3", "boots"], ["3.0", "shoes"], "categorical")) == [
        Cause.TYPE, Cause.VALUE,
    ]  # fmt: skip


def test_without_times_in_the_log_values_tell() -> None:
    found = pair([1.0], [2.5], served_time=None, joined_time=times(-1))
    assert cause.of(found) == [Cause.VALUE]


def test_a_zero_is_no_cut_off_fraction() -> None:
    assert cause.of(pair([0.0], [0.31])) == [Cause.VALUE]
