"""A source of ads' clicks that keeps its contract, and the shop's ads that it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from driftloop.spec.contract import Contract

NOW = pd.Timestamp("2026-02-01T06:00:00Z").as_unit("us")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take minutes for seconds of work."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def promised() -> dict[str, Any]:
    return {
        "columns": [
            {"name": "event_time", "kind": "time"},
            {"name": "click", "kind": "numeric"},
            {"name": "ad", "kind": "numeric", "range": [0, None]},
            {"name": "price", "kind": "numeric", "range": [0, 10], "maxMissing": "5%"},
            {"name": "device", "kind": "categorical", "values": ["mobile", "desktop"]},
        ],
        "key": ["click"],
        "freshness": "1d",
        "volume": {"days": 28},
        "refers": [{"columns": ["ad"], "source": "ads", "to": ["id"]}],
        "maxBad": "1%",
    }


@pytest.fixture
def contract(promised: dict[str, Any]) -> Contract:
    return Contract.model_validate(promised)


@pytest.fixture
def clicks() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    days = pd.date_range("2026-01-02", periods=30, freq="D", tz="UTC", unit="us")
    count = 100 * len(days)
    times = days.repeat(100) + pd.to_timedelta(rng.integers(0, 86_400, count), unit="s")
    return pd.DataFrame(
        {
            "event_time": pd.Series(times).dt.as_unit("us"),
            "click": np.arange(count),
            "ad": rng.integers(0, 20, count),
            "price": rng.uniform(0, 10, count),
            "device": rng.choice(["mobile", "desktop"], count),
        }
    )


@pytest.fixture
def ads() -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(20)})
