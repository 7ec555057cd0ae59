"""Features: how many low digits came in at a counter lately, from what was known at a midnight."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pandas as pd

from driftloop.loop import LearningLoop

WINDOW = pd.Timedelta(days=14)
PRIOR = 5.0
"""Images' worth of an even share in a counter's own."""
LOW = ["0", "1", "2", "3", "4"]
TTL = timedelta(days=5)
"""After this a row is too old to be used: the counter is then unknown."""


def compute(history: pd.DataFrame, now: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return each view's feature rows at ``now`` from labelled rows known at ``now``."""
    recent = history[history["event_time"] >= now - WINDOW]
    is_low = recent["category"].isin(LOW).groupby(recent["counter_id"])
    share = (is_low.sum() + PRIOR / 2) / (is_low.count() + PRIOR)
    rows = share.rename("low_share_14d").reset_index()
    rows.insert(1, "event_timestamp", now)
    rows["event_timestamp"] = rows["event_timestamp"].astype("datetime64[us, UTC]")
    return {"counter_stats": rows.astype({"counter_id": "int64"})}


def feast_objects(loop: LearningLoop, paths: Mapping[str, str]) -> list[Any]:
    """Return the Feast entity, view and service; ``paths``: each view's parquet files."""
    # Imported here: computing features must not pay for Feast's import.
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    counter = Entity(name="counter", join_keys=["counter_id"], value_type=ValueType.INT64)
    source = FileSource(
        name="counter_stats_source",
        path=paths["counter_stats"],
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    view = FeatureView(
        name="counter_stats",
        entities=[counter],
        ttl=TTL,
        schema=[
            Field(name="counter_id", dtype=Int64),
            Field(name="low_share_14d", dtype=Float64),
        ],
        source=source,
    )
    return [counter, view, FeatureService(name=loop.spec.features.service, features=[view])]
