"""Staleness: a model that fails on yesterday is found, one that meets another rate is not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.data import staleness
from driftloop_contracts.errors import InvalidInput

NOW = pd.Timestamp("2026-03-01", tz="UTC").as_unit("us")
DAY = pd.Timedelta(days=1)
SINCE = (NOW - DAY).to_pydatetime()


def scored(seed: int, skill: float = 1.0, rate: float = 0.1, rows: int = 4000) -> pd.DataFrame:
    """Return two thirds of rows of January and a third of yesterday's.

    The model's log-odds are right in January; yesterday they know ``skill`` of what they did, and
    the true rate is ``rate``, which the model is told.
    """
    rng = np.random.default_rng(seed)
    new = np.arange(rows) >= rows * 2 // 3
    ages = np.where(new, rng.random(rows), 40 + 20 * rng.random(rows))
    signal, other = rng.normal(size=(2, rows))
    user = rng.integers(0, 150, rows)
    base = np.where(new, np.log(rate / (1 - rate)), np.log(0.1 / 0.9)) - 0.4
    lean = rng.normal(0, 0.3, 150)[user]
    true = np.where(new, skill * signal + np.sqrt(1 - skill**2) * other, signal)
    odds = base + lean + true
    return pd.DataFrame(
        {
            "event_time": (NOW - pd.to_timedelta((ages * 86_400e6).astype("int64"), unit="us")),
            "user_id": user,
            "weight": 1.0,
            "positives": (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype("float64"),
            "probability": 1 / (1 + np.exp(-(base + signal))),
        }
    )


def found(seed: int, **world: Any) -> staleness.Aged:
    return staleness.compare(scored(seed, **world), SINCE, "user_id")


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_a_model_that_is_as_good_is_rarely_called_stale(rate: float) -> None:
    """At most 5 % of 100 worlds, also where the rate falls or rises by a factor of four or five."""
    many = [found(seed, rate=rate) for seed in range(100)]
    assert np.mean([one.broken.low > 0 for one in many]) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    assert np.mean([one.is_stale for one in many]) <= 0.05


def test_one_that_fails_on_yesterday_is_found() -> None:
    """In at least 90 % of 50 worlds in which it knows nothing of yesterday's signal."""
    many = [found(seed, skill=0.0) for seed in range(50)]
    assert np.mean([one.is_stale for one in many]) > 0.9
    back = next(one.returned() for one in many if one.is_stale)
    assert back is not None
    assert (back.rule, back.target.value) == ("stale_data", "data_engineering")
    assert "2026-02-28 to 2026-02-28" in back.reason
    json.dumps(many[0].to_data(), allow_nan=False)


def test_a_lower_rate_does_not_hide_it() -> None:
    """The plain loss falls with the rate, the model is worth nothing all the same."""
    one = found(3, skill=0.0, rate=0.03, rows=20_000)
    rows = scored(3, skill=0.0, rate=0.03, rows=20_000)
    p, k = rows["probability"], rows["positives"]
    losses = -(k * np.log(p) + (1 - k) * np.log1p(-p))
    new = rows["event_time"] >= SINCE
    assert losses[new].mean() < losses[~new].mean()
    assert one.is_stale


def test_loss_by_age_has_one_part_an_age() -> None:
    ages = [timedelta(days=2), timedelta(days=50)]
    parts = staleness.by_age(scored(1, skill=0.0), NOW.to_pydatetime(), ages, "user_id")
    assert [part.rows for part in parts][0] == len(scored(1)) - len(scored(1)) * 2 // 3
    assert sum(part.rows for part in parts) == 4000
    assert parts[0].normalized.estimate > 1 > parts[1].normalized.high > 0


def test_few_entities_say_nothing() -> None:
    rows = scored(1, skill=0.0).assign(user_id=1)
    one = staleness.compare(rows, SINCE, "user_id")
    assert not one.is_stale
    json.dumps(one.to_data(), allow_nan=False)


@pytest.mark.parametrize(("days", "stale"), [(29, False), (30, False), (31, True)])
def test_the_calendar_alone_may_send_the_loop_back(days: int, stale: bool) -> None:
    times = pd.Series([NOW - 90 * DAY, NOW])
    now = (NOW + days * DAY).to_pydatetime()
    one = staleness.age(times, now, timedelta(days=30))
    assert one.is_stale == stale == (one.returned() is not None)
    json.dumps(one.to_data(), allow_nan=False)


@pytest.mark.parametrize(
    "change",
    [{"probability": 2.0}, {"positives": 3.0}, {"weight": 0.0}, {"event_time": pd.NaT},
     {"positives": 0.0}],
)  # fmt: skip
def test_nonsense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        staleness.compare(scored(1, rows=60).assign(**change), SINCE, "user_id")


def test_a_side_without_rows_and_a_missing_column_are_named() -> None:
    with pytest.raises(InvalidInput, match="the new side"):
        staleness.compare(scored(1), (NOW + DAY).to_pydatetime(), "user_id")
    with pytest.raises(InvalidInput, match="user"):
        staleness.compare(scored(1), SINCE, "user")
    with pytest.raises(InvalidInput, match="event_time"):
        staleness.age(pd.Series([pd.NaT]), SINCE, timedelta(days=1))
