"""Features: how often a visitor came back lately, from what was known at a midnight."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop.loop import LearningLoop

WINDOW = pd.Timedelta(days=14)
PRIOR = 5.0
"""Visits' worth of everybody's rate in a visitor's own."""
TTL = timedelta(days=5)
"""After this a row is too old to be used: the visitor is then unknown."""


def compute(history: pd.DataFrame, now: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return each view's feature rows at ``now`` from labelled rows known at ``now``."""
    recent = history[history["event_time"] >= now - WINDOW]
    overall = (recent["positives"].sum() + 1) / (recent["weight"].sum() + 2)
    sums = recent.groupby("visitor_id")[["weight", "positives"]].sum()
    rate = (sums["positives"] + PRIOR * overall) / (sums["weight"] + PRIOR)
    rows = pd.DataFrame({"visitor_rate_14d": np.log(rate / (1 - rate))}).reset_index()
    rows.insert(1, "event_timestamp", now)
    rows["event_timestamp"] = rows["event_timestamp"].astype("datetime64[us, UTC]")
    return {"visitor_stats": rows.astype({"visitor_id": "int64"})}


def feast_objects(loop: LearningLoop, paths: Mapping[str, str]) -> list[Any]:
    """Return the Feast entity, view and service; ``paths``: each view's parquet files."""
    # Imported here: computing features must not pay for Feast's import.
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    visitor = Entity(name="visitor", join_keys=["visitor_id"], value_type=ValueType.INT64)
    source = FileSource(
        name="visitor_stats_source",
        path=paths["visitor_stats"],
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    view = FeatureView(
        name="visitor_stats",
        entities=[visitor],
        ttl=TTL,
        schema=[
            Field(name="visitor_id", dtype=Int64),
            Field(name="visitor_rate_14d", dtype=Float64),
        ],
        source=source,
    )
    return [visitor, view, FeatureService(name=loop.spec.features.service, features=[view])]
