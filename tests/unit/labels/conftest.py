"""Records and reports of outcomes, in hours after one noon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

NOON = pd.Timestamp("2026-01-01T12:00Z").as_unit("us")
HOUR = pd.Timedelta(hours=1)
UTC = "datetime64[us, UTC]"

Maker = Callable[..., pd.DataFrame]


def hours(values: list[Any]) -> pd.Series:
    """Times so many hours after noon; None is a missing one."""
    return pd.Series([pd.NaT if v is None else NOON + v * HOUR for v in values], dtype=UTC)


@pytest.fixture(scope="session")
def asked() -> Maker:
    """Make records of (id, hour asked, weight)."""

    def make(*rows: tuple[str, float, float]) -> pd.DataFrame:
        ids, times, weights = zip(*rows, strict=True) if rows else ((), (), ())
        frame = pd.DataFrame({"prediction_id": pd.Series(ids, dtype=object)})
        frame["event_time"] = hours(list(times))
        return frame.assign(weight=pd.Series(weights, dtype=float), place=range(len(rows)))

    return make


@pytest.fixture(scope="session")
def told() -> Maker:
    """Make reports of (id, value, hour it happened, hour it was known, revision)."""

    def make(*rows: tuple[Any, float, Any, Any, float], label: str = "click") -> pd.DataFrame:
        ids, values, happened, known, revisions = zip(*rows, strict=True) if rows else [()] * 5
        frame = pd.DataFrame({"prediction_id": pd.Series(ids, dtype=object), "label": label})
        frame["value"] = pd.Series(values, dtype=float)
        frame["event_time"], frame["known_time"] = hours(list(happened)), hours(list(known))
        return frame.assign(revision=pd.Series(revisions, dtype=float))

    return make


@pytest.fixture(scope="session")
def at() -> Callable[[float], pd.Timestamp]:
    """Make the moment so many hours after noon."""
    return lambda hour: NOON + hour * HOUR
