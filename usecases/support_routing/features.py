"""Features: how often a requester asked for each department lately, as of a midnight."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from driftloop.loop import LearningLoop

DAYS = 14
PRIOR = 2.0
"""Requests' worth of an even share in each requester's own."""
DEPARTMENTS = ("accounting", "hr", "inventory", "it")
VIEW, KEY = "requester_stats", "requester_id"
COLUMNS = tuple(f"asked_{name}_{DAYS}d" for name in DEPARTMENTS)
TTL = timedelta(days=5)
"""After this a feature row is too old to be used: the requester is then unknown."""


def compute(history: pd.DataFrame, now: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return the view's rows at ``now`` from labelled rows known at ``now``."""
    recent = history[history["event_time"] >= now - pd.Timedelta(days=DAYS)]
    counts = pd.crosstab(recent[KEY], recent["category"]).reindex(columns=[*DEPARTMENTS])
    counts = counts.fillna(0.0) + PRIOR / len(DEPARTMENTS)
    shares = counts.div(counts.sum(axis=1), axis=0).set_axis([*COLUMNS], axis=1)
    rows = shares.rename_axis(KEY).reset_index()
    rows.insert(1, "event_timestamp", now)
    rows["event_timestamp"] = rows["event_timestamp"].astype("datetime64[us, UTC]")
    return {VIEW: rows.astype({KEY: "int64"} | dict.fromkeys(COLUMNS, "float64"))}


def feast_objects(loop: LearningLoop, paths: Mapping[str, str]) -> list[Any]:
    """Return the Feast entity, view and service; ``paths``: the view's parquet files."""
    # Imported here: computing features must not pay for Feast's import.
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    requester = Entity(name="requester", join_keys=[KEY], value_type=ValueType.INT64)
    source = FileSource(
        name=f"{VIEW}_source",
        path=paths[VIEW],
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    columns = [Field(name=name, dtype=Float64) for name in COLUMNS]
    view = FeatureView(
        name=VIEW,
        entities=[requester],
        ttl=TTL,
        schema=[Field(name=KEY, dtype=Int64), *columns],
        source=source,
    )
    return [requester, view, FeatureService(name=loop.spec.features.service, features=[view])]
