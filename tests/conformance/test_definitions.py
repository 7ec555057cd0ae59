"""What any offline store must make of a Feast project: its entities, views and services."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pytest
from feast import Entity, FeatureService, FeatureStore, Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from project import NOON, hours

Rows = list[dict[str, Any]]


def event(time: datetime = NOON, **columns: Any) -> Any:
    return {**columns, "event": time, "created": time}


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return project.store(tmp_path)


def test_keys_of_several_columns_are_matched_column_by_column(
    store: FeatureStore, tmp_path: Path
) -> None:
    rows = [event(shop=1, item=12, value=1.0), event(shop=11, item=2, value=2.0)]
    path = project.write(tmp_path / "rows.parquet", rows)
    shop, item = project.entity("shop"), project.entity("item")
    store.apply([shop, item, project.view(project.source(path), [shop, item])])
    pairs = [(11, 2), (1, 12), (1, 2), (11, 12)]
    asked = [{"shop": s, "item": i, "event_timestamp": NOON} for s, i in pairs]
    found = store.get_historical_features(project.frame(asked), ["shop:value"]).to_df()
    assert project.values(found) == [2.0, 1.0, None, None]


def test_one_null_among_several_keys_is_enough_to_match_nothing(
    store: FeatureStore, tmp_path: Path
) -> None:
    rows = [event(shop="a", item=None, value=1.0), event(shop="a", item="b", value=2.0)]
    path = project.write(tmp_path / "rows.parquet", rows)
    entities = [project.entity(name, project.TEXT) for name in ("shop", "item")]
    store.apply([*entities, project.view(project.source(path), entities)])
    asked = [{"shop": "a", "item": i, "event_timestamp": NOON} for i in (None, "b")]
    found = store.get_historical_features(project.frame(asked), ["shop:value"]).to_df()
    assert project.values(found) == [None, 2.0]


def test_a_view_without_entities_has_one_value_for_all(store: FeatureStore, tmp_path: Path) -> None:
    rows = [event(NOON + hours(n), value=float(n)) for n in range(3)]
    path = project.write(tmp_path / "rows.parquet", rows)
    store.apply([project.view(project.source(path), [], name="everywhere", ttl=hours(5))])
    asked = [
        {"shop": 1, "event_timestamp": NOON + hours(n)} for n in (0.5, 1, 7, 7.1, -1)
    ]  # fmt: skip
    found = store.get_historical_features(project.frame(asked), ["everywhere:value"]).to_df()
    assert project.values(found) == [0.0, 1.0, 2.0, None, None]


def test_columns_are_read_under_the_names_they_are_mapped_to(
    store: FeatureStore, tmp_path: Path
) -> None:
    rows = [{"shop_no": 1, "v": 4.0, "event": NOON, "created": NOON}]
    path = project.write(tmp_path / "rows.parquet", rows)
    batch = project.source(path, field_mapping={"shop_no": "shop", "v": "value"})
    shop = project.entity("shop")
    store.apply([shop, project.view(batch, [shop])])
    asked = project.frame([{"shop": 1, "event_timestamp": NOON}])
    found = store.get_historical_features(asked, ["shop:value"]).to_df()
    assert project.values(found) == [4.0]
    store.materialize(NOON - hours(1), NOON)
    online = store.get_online_features(["shop:value"], [{"shop": 1}]).to_dict()
    assert online["value"] == [4.0]


def test_one_view_serves_two_columns_of_the_caller(store: FeatureStore, tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", [event(shop=n, value=n / 2) for n in (1, 2)])
    shop = project.entity("shop")
    view = project.view(project.source(path), [shop])
    origin = view.with_name("origin").with_join_key_map({"shop": "from_shop"})
    target = view.with_name("target").with_join_key_map({"shop": "to_shop"})
    service = FeatureService(name="moves", features=[origin, target])
    store.apply([shop, view, service])
    asked = [{"from_shop": 1, "to_shop": 2, "event_timestamp": NOON}]
    job = store.get_historical_features(project.frame(asked), service, full_feature_names=True)
    found = job.to_df()
    assert (found["origin__value"][0], found["target__value"][0]) == (0.5, 1.0)


def test_views_of_different_entities_are_joined_in_one_request(
    store: FeatureStore, tmp_path: Path
) -> None:
    shops = project.write(tmp_path / "shops.parquet", [event(shop=1, value=1.0)])
    items = project.write(tmp_path / "items.parquet", [event(item="a", price=2.0, size=3.0)])
    shop, item = project.entity("shop"), project.entity("item", project.TEXT)
    of_items = project.view(
        project.source(items), [item], name="item", ttl=hours(1), features=("price", "size")
    )
    store.apply([shop, item, project.view(project.source(shops), [shop]), of_items])
    asked = [
        {"item": "a", "shop": 1, "event_timestamp": NOON + hours(n), "label": n} for n in (1, 2)
    ]
    references = ["shop:value", "item:price", "item:size"]
    found = store.get_historical_features(project.frame(asked), references).to_df()
    assert {*found} == {"item", "shop", "event_timestamp", "label", "value", "price", "size"}
    assert project.values(found) == [1.0, 1.0]
    assert project.values(found, "size") == [3.0, None]


def test_only_the_features_of_a_service_come_back(store: FeatureStore, tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", [event(shop=1, value=1.0, other=2.0)])
    shop = project.entity("shop")
    view = project.view(project.source(path), [shop], features=("value", "other"))
    service = FeatureService(name="one", features=[view[["other"]]])
    store.apply([shop, view, service])
    asked = project.frame([{"shop": 1, "event_timestamp": NOON}])
    found = store.get_historical_features(asked, service).to_df()
    assert found.columns.tolist() == ["shop", "event_timestamp", "other"]
    assert project.values(found, "other") == [2.0]


def test_on_demand_features_are_computed_from_joined_and_given_columns(
    store: FeatureStore, tmp_path: Path
) -> None:
    path = project.write(tmp_path / "rows.parquet", [event(shop=1, value=10.0)])
    shop = project.entity("shop")
    view = project.view(project.source(path), [shop])
    request = RequestSource(name="request", schema=[Field(name="count", dtype=Int64)])

    @on_demand_feature_view(
        sources=[view, request], schema=[Field(name="total", dtype=Float64)], mode="pandas"
    )
    def totals(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"total": inputs["value"] * inputs["count"]})

    store.apply([shop, view, totals])
    asked = project.frame([{"shop": s, "count": 3, "event_timestamp": NOON} for s in (1, 2)])
    found = store.get_historical_features(asked, ["totals:total"]).to_df()
    assert project.values(found, "total") == [30.0, None]


def test_a_span_of_time_is_read_without_an_entity_frame(
    store: FeatureStore, tmp_path: Path
) -> None:
    moments = [(shop, NOON + hours(n)) for shop in (1, 2) for n in range(4)]
    rows = [event(time, shop=shop, value=float(n)) for n, (shop, time) in enumerate(moments)]
    path = project.write(tmp_path / "rows.parquet", rows)
    shop = project.entity("shop")
    store.apply([shop, project.view(project.source(path), [shop], ttl=timedelta(days=1))])
    start, end = project.utc(NOON + hours(1)), project.utc(NOON + hours(2))
    found = store.get_historical_features(
        features=["shop:value"], start_date=start, end_date=end
    ).to_df()
    expected = {(1, 1.0), (1, 2.0), (2, 5.0), (2, 6.0)}
    assert set(zip(found["shop"], found["value"], strict=True)) == expected
    times = pd.to_datetime(found["event_timestamp"], utc=True)
    assert times.between(start, end).all()


def test_an_entity_with_another_join_key_is_asked_for_by_that(
    store: FeatureStore, tmp_path: Path
) -> None:
    path = project.write(tmp_path / "rows.parquet", [event(shop_id=1, value=1.0)])
    shop = Entity(name="shop", join_keys=["shop_id"], value_type=project.INT64)
    store.apply([shop, project.view(project.source(path), [shop])])
    asked = project.frame([{"shop_id": 1, "event_timestamp": NOON}])
    found = store.get_historical_features(asked, ["shop:value"]).to_df()
    assert project.values(found) == [1.0]
