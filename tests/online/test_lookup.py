"""What a predictor looks up: each view by its TTL, missing, expired and present told apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pytest
from feast import FeatureService, FeatureStore, FeatureView, Field, RequestSource
from feast.feature_view import FeatureViewState
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from project import NOON, hours, utc

from driftloop.adapters.feature_lookup import FeatureLookup

Opened = Callable[[], FeatureStore]
TICK = timedelta(microseconds=1)


def event(after: float = 0, **columns: Any) -> Any:
    time = NOON + hours(after)
    return {**columns, "event": time, "created": time}


def served(
    opened: Opened, folder: Path, views: list[tuple[FeatureView, list[Any]]], *others: Any
) -> FeatureLookup:
    """Materialize ``views`` with their rows and look up a service of them all."""
    store = opened()
    for view, rows in views:
        project.write(folder / f"{view.name}.parquet", rows)
    service = FeatureService(name="service", features=[v for v, _ in views] + list(others))
    shop, item = project.entity("shop"), project.entity("item", project.TEXT)
    store.apply([shop, item, *[view for view, _ in views], *others, service])
    store.materialize(utc(NOON - hours(1000)), utc(NOON + hours(1000)))
    return FeatureLookup(opened(), "service")


def view(folder: Path, name: str, *keys: str, **options: Any) -> FeatureView:
    kinds = {"shop": project.INT64, "item": project.TEXT}
    entities = [project.entity(key, kinds[key]) for key in keys]
    return project.view(project.source(folder / f"{name}.parquet"), entities, name=name, **options)


def test_missing_expired_early_and_present_are_told_apart(opened: Opened, tmp_path: Path) -> None:
    rows = [event(shop=1, value=1.0), event(2, shop=2, value=2.0), event(-9, shop=3, value=3.0)]
    lookup = served(opened, tmp_path, [(view(tmp_path, "stats", "shop", ttl=hours(1)), rows)])
    found = lookup.at({"shop": [1, 2, 3, 4]}, utc(NOON))
    assert found.statuses["stats"] == ["present", "early", "expired", "missing"]
    assert found.values["value"] == [1.0, None, None, None]
    noon = int(utc(NOON).timestamp()) * 1_000_000
    assert found.times["stats"] == [noon, None, None, None]
    assert found.counts()["stats", "expired"] == 1


def test_a_value_may_be_exactly_as_old_as_its_ttl(opened: Opened, tmp_path: Path) -> None:
    own = view(tmp_path, "stats", "shop", ttl=hours(1))
    lookup = served(opened, tmp_path, [(own, [event(shop=1, value=1.0)])])
    at = utc(NOON + hours(1))
    assert lookup.at({"shop": [1]}, at).values["value"] == [1.0]
    assert lookup.at({"shop": [1]}, at + TICK).values["value"] == [None]


def test_a_null_is_a_value(opened: Opened, tmp_path: Path) -> None:
    own = view(tmp_path, "stats", "shop", features=("value", "other"))
    rows = [event(shop=1, value=None, other=2.0), event(shop=2, value=1.0, other=None)]
    found = served(opened, tmp_path, [(own, rows)]).at({"shop": [1, 2]}, utc(NOON))
    assert found.statuses["stats"] == ["present", "present"]
    assert (found.values["value"], found.values["other"]) == ([None, 1.0], [2.0, None])


def test_views_of_any_keys_are_read_together(opened: Opened, tmp_path: Path) -> None:
    views = [
        (view(tmp_path, "of_shop", "shop", features=("a",)), [event(shop=1, a=1.0)]),
        (view(tmp_path, "of_shop_too", "shop", features=("b",)), [event(shop=1, b=2.0)]),
        (view(tmp_path, "of_item", "item", features=("c",)), [event(item="x", c=3.0)]),
        (
            view(tmp_path, "of_both", "shop", "item", features=("d",)),
            [event(shop=1, item="x", d=4.0)],
        ),
        (view(tmp_path, "of_all", features=("e",)), [event(e=5.0)]),
    ]
    lookup = served(opened, tmp_path, views)
    found = lookup.at({"shop": [1, 2], "item": ["x", "x"]}, utc(NOON))
    assert [found.values[name][0] for name in "abcde"] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [found.values[name][1] for name in "abcde"] == [None, None, 3.0, None, 5.0]


def test_one_view_serves_two_columns_of_the_caller(opened: Opened, tmp_path: Path) -> None:
    store, shop = opened(), project.entity("shop")
    project.write(tmp_path / "stats.parquet", [event(shop=n, value=n / 2) for n in (1, 2)])
    own = view(tmp_path, "stats", "shop")
    origin = own.with_name("origin").with_join_key_map({"shop": "from_shop"})
    store.apply([shop, own, FeatureService(name="service", features=[origin])])
    store.materialize(utc(NOON - hours(1)), utc(NOON))
    found = FeatureLookup(store, "service").at({"from_shop": [2]}, utc(NOON))
    assert found.values["value"] == [1.0]
    assert found.statuses == {"origin": ["present"]}


def test_only_the_features_of_the_service_are_read(opened: Opened, tmp_path: Path) -> None:
    store, shop = opened(), project.entity("shop")
    project.write(tmp_path / "stats.parquet", [event(shop=1, value=1.0, other=2.0)])
    own = view(tmp_path, "stats", "shop", features=("value", "other"))
    store.apply([shop, own, FeatureService(name="service", features=[own[["other"]]])])
    store.materialize(utc(NOON - hours(1)), utc(NOON))
    assert FeatureLookup(store, "service").at({"shop": [1]}, utc(NOON)).values == {"other": [2.0]}


def test_on_demand_features_come_of_what_was_looked_up(opened: Opened, tmp_path: Path) -> None:
    own = view(tmp_path, "stats", "shop", ttl=hours(1))
    request = RequestSource(name="request", schema=[Field(name="count", dtype=Int64)])

    @on_demand_feature_view(
        sources=[own, request], schema=[Field(name="total", dtype=Float64)], mode="pandas"
    )
    def totals(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"total": inputs["value"] * inputs["count"]})

    rows = [event(shop=1, value=10.0), event(-9, shop=2, value=10.0)]
    lookup = served(opened, tmp_path, [(own, rows)], totals)
    found = lookup.at({"shop": [1, 2], "count": [3, 3]}, utc(NOON))
    assert found.values["total"] == [30.0, None]
    assert found.statuses["totals"] == ["present", "expired"]


def test_a_view_is_served_while_it_is_being_materialized(opened: Opened, tmp_path: Path) -> None:
    own = view(tmp_path, "stats", "shop")
    served(opened, tmp_path, [(own, [event(shop=1, value=1.0)])])
    store = opened()
    registered = store.get_feature_view("stats")
    registered.state = FeatureViewState.MATERIALIZING
    store.registry.apply_feature_view(registered, store.project)
    with pytest.raises(ValueError, match="cannot serve"):
        opened().get_online_features(["stats:value"], [{"shop": 1}])
    found = FeatureLookup(opened(), "service").at({"shop": [1]}, utc(NOON))
    assert found.values["value"] == [1.0]


def test_many_rows_are_looked_up_at_once(opened: Opened, tmp_path: Path) -> None:
    size = 12_000
    rows = [event(shop=n, value=float(n)) for n in range(0, size, 2)]
    lookup = served(opened, tmp_path, [(view(tmp_path, "stats", "shop"), rows)])
    shops = [*range(size), *range(size)]
    found = lookup.at({"shop": shops}, utc(NOON))
    assert found.values["value"] == [None if n % 2 else float(n) for n in shops]
