"""Joins of several sources: as it was known, no row lost or doubled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.data import join
from driftloop.data.join import Timeline
from driftloop_contracts.errors import InvalidInput

FIRST = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")


def at(hours: Any) -> Any:
    return FIRST + pd.to_timedelta(np.asarray(hours) * 3600 * 10**6, unit="us")


def worlds(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    asked = pd.DataFrame(
        {"event_time": at(rng.integers(0, 50, 200)), "ad": rng.integers(0, 8, 200)}
    )
    told = pd.DataFrame({"event_time": at(rng.integers(0, 50, 60)), "ad": rng.integers(0, 6, 60)})
    return asked.set_index(np.arange(200) * 3), told.assign(price=np.arange(60.0))


@pytest.mark.parametrize("seed", range(5))
def test_each_row_gets_the_newest_that_was_known(seed: int) -> None:
    asked, told = worlds(seed)
    within = timedelta(hours=10)
    rows, (step,) = join.as_of(asked, [Timeline("prices", told, ("ad",), within=within)])
    assert rows.index.equals(asked.index)
    for place, row in rows.iterrows():
        known = told[(told["ad"] == row["ad"]) & (told["event_time"] <= row["event_time"])]
        newest = known[known["event_time"] == known["event_time"].max()]
        young = row["event_time"] - newest["event_time"] <= within
        expected = newest["price"][young].iloc[-1] if young.any() else np.nan
        np.testing.assert_equal(rows.loc[place, "price"], expected)
    assert step.before == step.after == 200 == step.found + step.too_old + step.without
    assert step.found == rows["price"].notna().sum()


def test_several_sources_tell_their_counts() -> None:
    asked, told = worlds(1)
    stock = told.rename(columns={"price": "stock"})[told["ad"] < 3]
    sources = [Timeline("prices", told, ("ad",)), Timeline("stock", stock, ("ad",))]
    rows, steps = join.as_of(asked, sources)
    assert list(rows) == ["event_time", "ad", "price", "stock"]
    assert [step.name for step in steps] == ["prices", "stock"]
    assert "200 rows before, 200 after" in steps[1].sentence
    assert steps[1].found < steps[0].found


def test_rows_that_share_key_and_time_double_nothing() -> None:
    asked = pd.DataFrame({"event_time": at([5, 6]), "ad": [1, 1]})
    told = pd.DataFrame({"event_time": at([1, 1, 1]), "ad": [1, 1, 1], "price": [1.0, 2.0, 3.0]})
    rows, (step,) = join.as_of(asked, [Timeline("prices", told, ("ad",))])
    assert rows["price"].tolist() == [3.0, 3.0]
    assert step.ties == 2


def test_a_row_without_a_key_belongs_to_nobody() -> None:
    asked = pd.DataFrame({"event_time": at([5, 6]), "ad": [None, "a"]})
    told = pd.DataFrame({"event_time": at([1, 1]), "ad": [None, "a"], "price": [1.0, 2.0]})
    rows, (step,) = join.as_of(asked, [Timeline("prices", told, ("ad",))])
    assert rows["price"].isna().tolist() == [True, False]
    assert step.without == 1


def test_an_empty_source_joins_nothing() -> None:
    asked, told = worlds(2)
    rows, (step,) = join.as_of(asked, [Timeline("prices", told[:0], ("ad",))])
    assert rows["price"].isna().all()
    assert step.without == 200


@pytest.mark.parametrize("name", ["event_time", "ad"])
def test_a_missing_column_is_named(name: str) -> None:
    asked, told = worlds(1)
    with pytest.raises(InvalidInput, match=name):
        join.as_of(asked, [Timeline("prices", told.drop(columns=name), ("ad",))])


def test_a_column_that_is_there_already_is_refused() -> None:
    asked, told = worlds(1)
    with pytest.raises(InvalidInput, match="price"):
        join.as_of(asked.assign(price=1.0), [Timeline("prices", told, ("ad",))])
