"""Features: trailing click-through rates of queries and ads, as of a midnight.

A rate is shrunk towards the account's own of the same window and given as log-odds, the scale
on which a linear model adds. An entity that was idle in a shorter window has no value there.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop.loop import LearningLoop

PRIOR = {3: 50.0, 14: 20.0, 28: 20.0}
"""Impressions' worth of the account's own rate in a shrunk rate, by the window in days."""
WINDOWS = {"query": (3, 14, 28), "ad": (14,)}
"""Which trailing windows each view holds, in days."""
ACCOUNT_CLICKS, ACCOUNT_IMPRESSIONS = 20.0, 1000.0
"""Prior of the account's rate itself, for its first days."""
TTL = timedelta(days=5)
"""After this a feature row is too old to be used: the entity is then unknown."""
ENTITIES = {"query": "query_id", "ad": "ad_id"}


def compute(history: pd.DataFrame, now: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return each view's feature rows at ``now`` from labelled rows known at ``now``."""
    return {f"{name}_stats": _view(history, name, now) for name in ENTITIES}


def _view(history: pd.DataFrame, name: str, now: pd.Timestamp) -> pd.DataFrame:
    """Return one row for each entity seen within the longest window."""
    key, days = ENTITIES[name], WINDOWS[name]
    columns = {f"{name}_ctr_{d}d": _log_odds(history, key, d, now) for d in days}
    rows = pd.DataFrame(columns).rename_axis(key).reset_index()
    rows.insert(1, "event_timestamp", now)
    rows["event_timestamp"] = rows["event_timestamp"].astype("datetime64[us, UTC]")
    return rows.astype({key: "int64"})


def _log_odds(history: pd.DataFrame, key: str, days: int, now: pd.Timestamp) -> pd.Series:
    """Return each entity's shrunk trailing rate as log-odds."""
    recent = history[history["event_time"] >= now - pd.Timedelta(days=days)]
    clicks, impressions = recent["positives"].sum(), recent["weight"].sum()
    account = (clicks + ACCOUNT_CLICKS) / (impressions + ACCOUNT_IMPRESSIONS)
    sums = recent.groupby(key)[["weight", "positives"]].sum()
    rate = (sums["positives"] + PRIOR[days] * account) / (sums["weight"] + PRIOR[days])
    return np.log(rate / (1 - rate))


def feast_objects(loop: LearningLoop, paths: Mapping[str, str]) -> list[Any]:
    """Return the Feast entities, views and service; ``paths``: each view's parquet files."""
    # Imported here: computing features must not pay for Feast's import.
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    entities, views = [], []
    for name, key in ENTITIES.items():
        entity = Entity(name=name, join_keys=[key], value_type=ValueType.INT64)
        source = FileSource(
            name=f"{name}_stats_source",
            path=paths[f"{name}_stats"],
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
        )
        columns = [Field(name=f"{name}_ctr_{days}d", dtype=Float64) for days in WINDOWS[name]]
        view = FeatureView(
            name=f"{name}_stats",
            entities=[entity],
            ttl=TTL,
            schema=[Field(name=key, dtype=Int64), *columns],
            source=source,
        )
        entities.append(entity)
        views.append(view)
    return [*entities, *views, FeatureService(name=loop.spec.features.service, features=views)]
