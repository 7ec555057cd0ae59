"""The as-of store over parquet in a bucket, keys and endpoint from the environment."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import minio_server
import pandas as pd
import project
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureService, FeatureStore, PushSource
from feast.data_source import PushMode
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import (
    FileLoggingDestination,
    SavedDatasetFileStorage,
)
from project import NOON, TIMES, hours, utc

from driftloop.adapters.feast_asof import files

pytestmark = pytest.mark.s3


@pytest.fixture
def folder(minio: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of the bucket with one file."""
    for name, value in minio.items():
        monkeypatch.setenv(name, value)
    path = f"s3://{minio_server.BUCKET}/{uuid.uuid4().hex}"
    place = files.place(path)
    place.write(f"{place.path}/rows/day=1/first.parquet", rows(1, 1.0, 0))
    return path


def rows(shop: int, value: float, after: float) -> pa.Table:
    time = pa.array([utc(NOON + hours(after))], TIMES)
    return pa.table({"shop": [shop], "value": [value], "event": time, "created": time})


@pytest.fixture
def store(tmp_path: Path, folder: str) -> FeatureStore:
    found, shop = project.store(tmp_path), project.entity("shop")
    pushed = PushSource(name="pushed", batch_source=project.source(f"{folder}/rows"))
    view = project.view(pushed, [shop], ttl=hours(200_000))
    log = LoggingConfig(destination=FileLoggingDestination(path=f"{folder}/log"))
    service = FeatureService(name="logged", features=[view], logging_config=log)
    found.apply([shop, view, service])
    return found


def joined(store: FeatureStore, *after: float) -> list[Any]:
    asked = [{"shop": 1, "event_timestamp": NOON + hours(n)} for n in after]
    found = store.get_historical_features(project.frame(asked), ["shop:value"]).to_df()
    return project.values(found)


def test_features_are_joined_from_a_bucket(store: FeatureStore) -> None:
    assert joined(store, -1, 0, 5) == [None, 1.0, 1.0]


def test_pushed_rows_are_added_to_the_bucket(store: FeatureStore, folder: str) -> None:
    time = utc(NOON + hours(2))
    frame = pd.DataFrame({"shop": [1], "value": [2.0], "event": [time], "created": [time]})
    frame["day"] = 2
    store.push("pushed", frame.astype({"event": "datetime64[us, UTC]"}), to=PushMode.OFFLINE)
    assert joined(store, 1, 2) == [1.0, 2.0]
    assert len(files.place(f"{folder}/rows").parquet()) == 2


def test_features_are_materialized_from_a_bucket(store: FeatureStore) -> None:
    store.materialize(utc(NOON - hours(1)), utc(NOON))
    found = store.get_online_features(["shop:value"], [{"shop": 1}]).to_dict()
    assert found["value"] == [1.0]


def test_a_saved_dataset_lies_in_a_bucket(store: FeatureStore, folder: str) -> None:
    asked = project.frame([{"shop": 1, "event_timestamp": NOON}])
    job = store.get_historical_features(asked, ["shop:value"])
    storage = SavedDatasetFileStorage(f"{folder}/saved")
    saved = store.create_saved_dataset(job, "training", storage)
    assert project.values(saved.to_df()) == [1.0]


def test_logged_features_are_added_to_a_bucket(store: FeatureStore, folder: str) -> None:
    time = pa.array([utc(NOON)], TIMES)
    for number in range(2):
        columns = {
            "shop": [1], "shop__value": [float(number)], "shop__value__timestamp": time,
            "shop__value__status": pa.array([0], pa.int32()), "__log_timestamp": time,
            "__log_date": time.cast(pa.date32()), "__request_id": ["request"],
        }  # fmt: skip
        store.write_logged_features(pa.table(columns), store.get_feature_service("logged"))
    place = files.place(f"{folder}/log")
    tables = [pq.read_table(path, filesystem=place.filesystem) for path in place.parquet()]
    found = pa.concat_tables(tables)["shop__value"].to_pylist()
    assert sorted(found) == [0.0, 1.0]
