"""A Feast project of one view over parquet, with the offline store under test.

``OFFLINE_STORE``: the JSON of ``offline_store`` in feature_store.yaml; ours where it is unset.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64
from feast.value_type import ValueType

OURS = '{"type": "driftloop.adapters.feast_asof.AsofOfflineStore"}'
NOON = datetime(2026, 3, 1, 12)
TIMES = pa.timestamp("us", "UTC")
INT64, TEXT = ValueType.INT64, ValueType.STRING


def hours(count: float) -> timedelta:
    """Return so many hours."""
    return timedelta(hours=count)


def utc(time: datetime) -> datetime:
    """Return ``time``, which has no zone, as the instant in UTC."""
    return time.replace(tzinfo=UTC)


def store(folder: Path, **settings: Any) -> FeatureStore:
    """Return an empty project in ``folder``; ``settings``: of the offline store under test."""
    config = RepoConfig(
        project="conformance",
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store=json.loads(os.environ.get("OFFLINE_STORE", OURS)) | settings,
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    return FeatureStore(config=config)


def write(path: Path, rows: list[dict[str, Any]], **types: pa.DataType) -> Path:
    """Write rows of event, created, keys and values; times are UTC, microseconds by default."""
    kinds = {"event": TIMES, "created": TIMES} | types
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        columns[name] = pa.array(values, kinds.get(name, pa.infer_type(values)))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def source(path: Path | str, **options: Any) -> FileSource:
    """Return the source of files with the columns event and created."""
    settings = {"timestamp_field": "event", "created_timestamp_column": "created"} | options
    return FileSource(name=Path(path).stem.strip("*") or "rows", path=str(path), **settings)


def entity(name: str, kind: ValueType = INT64) -> Entity:
    """Return an entity whose join key has its name."""
    return Entity(name=name, join_keys=[name], value_type=kind)


def view(
    batch: FileSource, entities: list[Entity], name: str = "shop", ttl: timedelta = timedelta(0),
    features: tuple[str, ...] = ("value",),
) -> FeatureView:  # fmt: skip
    """Return a view of float features."""
    schema = [Field(name=feature, dtype=Float64) for feature in features]
    return FeatureView(name=name, entities=entities, ttl=ttl, schema=schema, source=batch)


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return an entity frame; the times of ``rows`` are UTC."""
    result = pd.DataFrame(rows)
    times = pd.to_datetime(result["event_timestamp"]).astype("datetime64[us]")
    return result.assign(event_timestamp=times.dt.tz_localize(UTC))


def values(found: pd.DataFrame, column: str = "value") -> list[float | None]:
    """Return a column's values, None for null."""
    return [None if pd.isna(value) else float(value) for value in found[column]]
