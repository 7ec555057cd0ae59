"""What an offline store of Feast must do when it is written to: add, and lose nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import project
import pyarrow as pa
import pytest
from feast import FeatureService, FeatureStore, PushSource
from feast.data_source import PushMode
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import (
    FileLoggingDestination,
    SavedDatasetFileStorage,
)
from project import NOON, hours, utc

FIRST = {"shop": 1, "value": 1.0, "event": NOON, "created": NOON}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project.write(tmp_path / "rows" / "first.parquet", [FIRST]).parent


@pytest.fixture
def store(tmp_path: Path, folder: Path) -> FeatureStore:
    found, shop = project.store(tmp_path), project.entity("shop")
    view = project.view(PushSource(name="pushed", batch_source=project.source(folder)), [shop])
    service = FeatureService(
        name="logged",
        features=[view],
        logging_config=LoggingConfig(
            destination=FileLoggingDestination(path=str(tmp_path / "log"))
        ),
    )
    found.apply([shop, view, service])
    return found


def at(store: FeatureStore, count: float) -> list[float | None]:
    asked = project.frame([{"shop": 1, "event_timestamp": NOON + hours(count)}])
    return project.values(store.get_historical_features(asked, ["shop:value"]).to_df())


def pushed(count: int) -> pd.DataFrame:
    time = utc(NOON + hours(count))
    row = {"shop": 1, "value": float(10 + count), "event": time, "created": time}
    return pd.DataFrame([row]).astype({"event": "datetime64[us, UTC]"})


def test_pushed_rows_are_added_to_the_others(store: FeatureStore) -> None:
    store.push("pushed", pushed(1), to=PushMode.OFFLINE)
    store.push("pushed", pushed(2), to=PushMode.OFFLINE)
    assert [at(store, n) for n in (0, 1, 2)] == [[1.0], [11.0], [12.0]]


def test_pushing_changes_no_file_that_was_there(store: FeatureStore, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    store.push("pushed", pushed(1), to=PushMode.OFFLINE)
    assert {path: path.read_bytes() for path in before} == before
    assert len(list(folder.iterdir())) == len(before) + 1


def test_pushed_rows_go_to_their_hive_partitions(tmp_path: Path) -> None:
    root = tmp_path / "parts"
    project.write(root / "day=1" / "first.parquet", [FIRST])
    store, shop = project.store(tmp_path), project.entity("shop")
    view = project.view(PushSource(name="pushed", batch_source=project.source(root)), [shop])
    store.apply([shop, view])
    rows = pd.concat([pushed(n).assign(day=day) for n, day in ((1, 1), (30, 2))])
    store.push("pushed", rows, to=PushMode.OFFLINE)
    assert [at(store, n) for n in (0, 1, 30)] == [[1.0], [11.0], [40.0]]
    written = sorted(str(path.parent.relative_to(root)) for path in root.rglob("*.parquet"))
    assert written == ["day=1", "day=1", "day=2"]
    assert not [path for path in root.rglob(".*")]


def test_a_saved_dataset_is_read_back(store: FeatureStore, tmp_path: Path) -> None:
    asked = project.frame([{"shop": s, "event_timestamp": NOON} for s in (2, 1)])
    job = store.get_historical_features(asked, ["shop:value"])
    storage = SavedDatasetFileStorage(str(tmp_path / "saved.parquet"))
    saved = store.create_saved_dataset(job, "training", storage)
    found = saved.to_df().sort_values("shop")
    assert project.values(found) == [1.0, None]
    assert store.get_saved_dataset("training").to_df().shape == (2, 3)


def test_a_saved_dataset_is_replaced_only_when_that_is_said(
    store: FeatureStore, tmp_path: Path
) -> None:
    asked = project.frame([{"shop": 1, "event_timestamp": NOON}])
    storage = SavedDatasetFileStorage(str(tmp_path / "saved.parquet"))
    for shift in (0, 1):
        times = asked["event_timestamp"] - timedelta(hours=shift)
        job = store.get_historical_features(asked.assign(event_timestamp=times), ["shop:value"])
        if shift:
            with pytest.raises(SavedDatasetLocationAlreadyExists):
                store.create_saved_dataset(job, "training", storage)
        saved = store.create_saved_dataset(job, "training", storage, allow_overwrite=bool(shift))
        assert project.values(saved.to_df()) == [[1.0], [None]][shift]


def test_logged_features_are_added_and_read_back(store: FeatureStore, tmp_path: Path) -> None:
    service = store.get_feature_service("logged")
    for n in range(2):
        time = pa.array([utc(NOON + hours(n))], pa.timestamp("us", "UTC"))
        columns = {
            "shop": [1], "shop__value": [float(n)], "shop__value__timestamp": time,
            "shop__value__status": pa.array([0], pa.int32()), "__log_timestamp": time,
            "__log_date": time.cast(pa.date32()), "__request_id": [f"request-{n}"],
        }  # fmt: skip
        store.write_logged_features(pa.table(columns), service)
    files = sorted((tmp_path / "log").rglob("*.parquet"))
    rows = pd.concat([pd.read_parquet(file) for file in files])
    assert sorted(rows["shop__value"]) == [0.0, 1.0]
