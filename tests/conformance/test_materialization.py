"""What an offline store of Feast must hand to an online store."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pytest
from feast import FeatureStore
from project import NOON, hours, utc

VIEW = ["shop"]


def row(shop: int, value: float, event: datetime, created: datetime | None = None) -> Any:
    return {"shop": shop, "value": value, "event": event, "created": created or event}


ROWS = [
    row(1, 1.0, NOON),
    row(1, 2.0, NOON + hours(1)),
    row(2, 3.0, NOON + hours(1), NOON + hours(3)),
    row(2, 4.0, NOON + hours(1), NOON + hours(2)),
    row(3, 5.0, NOON + hours(2)),
]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    path = project.write(tmp_path / "rows.parquet", ROWS)
    found, shop = project.store(tmp_path), project.entity("shop")
    found.apply([shop, project.view(project.source(path), [shop], ttl=hours(100_000))])
    return found


def online(store: FeatureStore) -> list[Any]:
    keys = [{"shop": shop} for shop in (1, 2, 3)]
    return store.get_online_features(["shop:value"], keys).to_dict()["value"]


def pulled(store: FeatureStore, method: str, start: datetime, end: datetime) -> pd.DataFrame:
    view = store.get_feature_view("shop")
    pull = getattr(store._get_provider().offline_store, method)
    source = view.batch_source
    arguments = ["shop"], ["value"], source.timestamp_field, source.created_timestamp_column
    return pull(store.config, source, *arguments, utc(start), utc(end)).to_df()


def test_each_entitys_newest_row_of_the_span_is_pulled(store: FeatureStore) -> None:
    found = pulled(store, "pull_latest_from_table_or_query", NOON, NOON + hours(1))
    assert dict(zip(found["shop"], found["value"], strict=True)) == {1: 2.0, 2: 3.0}
    assert {"event", "created"} <= {*found}


def test_both_ends_of_a_pulled_span_are_inclusive(store: FeatureStore) -> None:
    found = pulled(store, "pull_all_from_table_or_query", NOON, NOON + hours(1))
    assert sorted(found["value"]) == [1.0, 2.0, 3.0, 4.0]


def test_nothing_is_pulled_from_an_empty_span(store: FeatureStore) -> None:
    found = pulled(store, "pull_latest_from_table_or_query", NOON - hours(2), NOON - hours(1))
    assert found.empty


def test_a_view_is_materialized(store: FeatureStore) -> None:
    store.materialize(utc(NOON - hours(1)), utc(NOON + hours(2)))
    assert online(store) == [2.0, 3.0, 5.0]


def test_a_view_is_materialized_step_by_step(store: FeatureStore) -> None:
    store.materialize_incremental(utc(NOON))
    assert online(store) == [1.0, None, None]
    store.materialize_incremental(utc(NOON + hours(2)))
    assert online(store) == [2.0, 3.0, 5.0]


def test_a_view_without_entities_is_materialized(store: FeatureStore, tmp_path: Path) -> None:
    rows = [{"value": float(n), "event": NOON + hours(n)} for n in range(3)]
    rows = [{**r, "created": r["event"]} for r in rows]
    path = project.write(tmp_path / "all.parquet", rows)
    store.apply([project.view(project.source(path), [], name="everywhere")])
    store.materialize(utc(NOON - hours(1)), utc(NOON + hours(1)), ["everywhere"])
    found = store.get_online_features(["everywhere:value"], [{"shop": 1}]).to_dict()
    assert found["value"] == [1.0]
