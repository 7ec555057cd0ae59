"""Features: how much of what a requester asked lately was for the IT desk."""

from datetime import timedelta

import pandas as pd


def compute(history: pd.DataFrame, now: pd.Timestamp) -> dict[str, pd.DataFrame]:
    """Return the view's rows at ``now`` from labelled rows known at ``now``."""
    recent = history[history["event_time"] >= now - pd.Timedelta(days=7)]
    asked_it = (recent["category"] == "it").groupby(recent["requester_id"])
    rows = ((asked_it.sum() + 1) / (asked_it.count() + 3)).rename("it_share_7d").reset_index()
    rows.insert(1, "event_timestamp", now)
    rows["event_timestamp"] = rows["event_timestamp"].astype("datetime64[us, UTC]")
    return {"requester_stats": rows.astype({"requester_id": "int64"})}


def feast_objects(loop, paths):
    """Return the Feast entity, view and service."""
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    requester = Entity(name="requester", join_keys=["requester_id"], value_type=ValueType.INT64)
    source = FileSource(
        name="requester_stats_source",
        path=paths["requester_stats"],
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    fields = [("requester_id", Int64), ("it_share_7d", Float64)]
    view = FeatureView(
        name="requester_stats",
        entities=[requester],
        ttl=timedelta(days=5),
        schema=[Field(name=name, dtype=kind) for name, kind in fields],
        source=source,
    )
    return [requester, view, FeatureService(name=loop.spec.features.service, features=[view])]
