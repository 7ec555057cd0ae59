"""The same definitions on both stores, compared row by row."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore, FeatureView, Field
from feast.types import Array, Bool, Float64, Int64, String
from project import NOON, hours, utc

ASKED = 3000
SHOPS, ITEMS, MINUTES = range(12), ["a", "b", "ü", "", None], 600
VIEWS = {
    # Name: its keys, its TTL, whether its rows say when they were created.
    "shop": (["shop"], hours(1), True),
    "again": (["shop"], hours(0), False),
    "item": (["item"], hours(0), True),
    "pair": (["shop", "item"], hours(2), True),
    "everywhere": ([], hours(1.5), True),
}
SCHEMA = {"price": Float64, "count": Int64, "text": String, "flag": Bool, "list": Array(Int64)}
FEATURES = [f"{view}:{name}" for view in VIEWS for name in SCHEMA]
Pair = tuple[FeatureStore, FeatureStore]


def minute(n: float) -> Any:
    return NOON + timedelta(minutes=n)


def rows_of(name: str, chance: random.Random) -> list[dict[str, Any]]:
    """Return rows with ties in the event time, some created late or unsaid, and nulls."""
    keys, _, created = VIEWS[name]
    rows = {}
    for n in range(1500 if keys else 60):
        key = {"shop": chance.choice([*SHOPS, None]), "item": chance.choice(ITEMS)}
        at = chance.randrange(MINUTES)
        late = chance.choice([0, 0, 1, 90, None]) if created else 0
        known = None if late is None else minute(at + late)
        row = {k: key[k] for k in keys} | {"event": minute(at), "created": known}
        values = {"price": n / 4, "count": n, "text": f"row {n}", "flag": n % 2 == 0, "list": [n]}
        nulls = {k: None for k in values if chance.random() < 0.1}
        # Which of two rows with the same times counts is not said: each is there once.
        rows[tuple(map(str, row.values()))] = row | values | nulls
    return list(rows.values())


def entity_rows(chance: random.Random) -> pd.DataFrame:
    """Return unsorted rows with duplicates, null keys and columns of the caller's own."""
    times = [utc(minute(chance.randrange(-60, MINUTES + 200))) for _ in range(ASKED)]
    shops = [chance.choice([*SHOPS, 99, None]) for _ in range(ASKED)]
    frame = pd.DataFrame({
        "note": pd.Categorical([chance.choice("xyz") for _ in range(ASKED)]),
        "shop": pd.array(shops, dtype="Int64"),
        "event_timestamp": pd.DatetimeIndex(times).as_unit("us"),
        "item": [chance.choice([*ITEMS, "never"]) for _ in range(ASKED)],
        "of.a `dot`": [chance.random() for _ in range(ASKED)],
    })  # fmt: skip
    return pd.concat([frame, frame.sample(200, random_state=1), frame.iloc[:50]])


@pytest.fixture
def chance() -> random.Random:
    return random.Random(7)


@pytest.fixture
def stores(both: Pair, tmp_path: Path, chance: random.Random) -> Pair:
    entities = {"shop": project.entity("shop"), "item": project.entity("item", project.TEXT)}
    kinds = {"shop": pa.int64(), "item": pa.string(), "list": pa.list_(pa.int64())}
    views = []
    for name, (keys, ttl, created) in VIEWS.items():
        rows = rows_of(name, chance)
        path = project.write(tmp_path / f"{name}.parquet", rows, **kinds)
        batch = project.source(path, created_timestamp_column="created" if created else "")
        schema = [Field(name=n, dtype=kind) for n, kind in SCHEMA.items()]
        views.append(
            FeatureView(
                name=name, entities=[entities[k] for k in keys], ttl=ttl, schema=schema,
                source=batch,
            )
        )  # fmt: skip
    for store in both:
        store.apply([*entities.values(), *views])
    return both


def same(ours: pd.DataFrame, theirs: pd.DataFrame) -> None:
    """Assert that two frames are equal, row by row; a list's values, not its class, count."""

    def plain(frame: pd.DataFrame) -> pd.DataFrame:
        lists = [name for name in frame.columns if name.endswith("list")]
        told = {n: frame[n].map(lambda v: None if v is None else str(list(v))) for n in lists}
        return frame.assign(**told)

    pd.testing.assert_frame_equal(plain(ours), plain(theirs))


@pytest.mark.parametrize("cutoff", [False, True])
@pytest.mark.filterwarnings("ignore:Feature view")
def test_every_row_of_a_pandas_frame_is_the_same(
    stores: Pair, chance: random.Random, cutoff: bool
) -> None:
    asked = entity_rows(chance)
    jobs = [
        store.get_historical_features(
            asked, FEATURES, full_feature_names=True, filter_by_created_timestamp=cutoff
        )
        for store in stores
    ]
    ours, theirs = (job.to_df() for job in jobs)
    same(ours, theirs)
    for name in asked.columns:
        assert ours[name].astype(str).tolist() == asked[name].astype(str).tolist()
    assert all(0.05 < ours[f"{view}__price"].notna().mean() < 1 for view in VIEWS)
    times = [{name: t.to_pylist() for name, t in job.event_times.items()} for job in jobs]
    assert times[0] == times[1]


def test_rows_that_are_in_spark_are_the_same_in_no_order(
    stores: Pair, spark: Any, chance: random.Random
) -> None:
    asked = entity_rows(chance).drop(columns="note").reset_index(drop=True)
    asked["number"] = range(len(asked))
    frame = spark.createDataFrame(pa.Table.from_pandas(asked, preserve_index=False))
    frame.createOrReplaceTempView("asked")
    expected = stores[1].get_historical_features(asked, FEATURES, full_feature_names=True).to_df()
    for rows in (frame, "SELECT * FROM asked"):
        job = stores[0].get_historical_features(rows, FEATURES, full_feature_names=True)
        for found in (job.to_df(), job.to_spark_df().toArrow().to_pandas()):
            same(found.sort_values("number", ignore_index=True).astype({"shop": "Float64"}),
                 expected.astype({"shop": "Float64"}))  # fmt: skip


def test_a_span_of_time_is_the_same(stores: Pair) -> None:
    features = ["shop:count", "again:count", "everywhere:count"]
    spans = {"start_date": utc(minute(100)), "end_date": utc(minute(200))}
    ours, theirs = (
        store.get_historical_features(features=features, full_feature_names=True, **spans)
        .to_df()
        .astype({"event_timestamp": "datetime64[us, UTC]"})
        .sort_values(["event_timestamp", "shop"], ignore_index=True)
        for store in stores
    )
    assert len(ours) > 100
    same(ours[theirs.columns], theirs)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("method", ["latest", "all"])
def test_what_is_pulled_is_the_same(stores: Pair, name: str, method: str) -> None:
    view = stores[0].get_feature_view(name)
    batch = view.batch_source
    found = []
    for store in stores:
        pull = getattr(store._get_provider().offline_store, f"pull_{method}_from_table_or_query")
        job = pull(
            store.config, batch, view.join_keys, list(SCHEMA), batch.timestamp_field,
            batch.created_timestamp_column or None, utc(minute(60)), utc(minute(500)),
        )  # fmt: skip
        rows = job.to_df()
        order = [c for c in rows.columns if c != "list"]
        found.append(rows.sort_values(order, ignore_index=True))
    assert len(found[0]) > 0
    same(found[0][found[1].columns], found[1])


def test_what_is_materialized_is_the_same(stores: Pair, tmp_path: Path) -> None:
    for name, (keys, _, _) in VIEWS.items():  # Feast's online stores take no null for either.
        path = tmp_path / f"{name}.parquet"
        rows = pq.read_table(path).to_pandas()
        pq.write_table(
            pa.Table.from_pandas(rows.dropna(subset=[*keys, "created"]), pq.read_schema(path)), path
        )
    keys = [{"shop": s, "item": i} for s in SHOPS for i in ITEMS if i is not None]
    read = []
    for store in stores:
        store.materialize(utc(minute(-1)), utc(minute(300)))
        read.append(store.get_online_features(FEATURES, keys, full_feature_names=True).to_dict())
    assert read[0] == read[1]
    assert all(any(read[0][f"{view}__text"]) for view in VIEWS)


KEYS = {
    "int32": (pa.int32(), pd.Series([2, 1], dtype="int64")),
    "uint64": (pa.int64(), pd.Series([2, 1], dtype="uint64")),
    "floats for whole numbers": (pa.int64(), pd.Series([2.0, float("nan")])),
    "category": (pa.string(), pd.Series(["2", "1"], dtype="category")),
    "none at all": (pa.string(), pd.Series([None, None], dtype=object)),
    "decimal": (pa.decimal128(20, 1), pd.Series([2, 1])),
    "double": (pa.float64(), pd.Series([2, 1])),
    "boolean": (pa.bool_(), pd.Series([True, False])),
    "bytes": (pa.binary(), pd.Series([b"2", b"1"])),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_many_types_are_matched_the_same(both: Pair, tmp_path: Path, name: str) -> None:
    kind, asked = KEYS[name]
    keys = pa.array([1, 2] if kind != pa.binary() else [b"1", b"2"])
    table = pa.table({
        "shop": keys.cast(kind),
        "value": [1.0, 2.0],
        "event": pa.array([NOON] * 2, project.TIMES),
        "created": pa.array([NOON] * 2, project.TIMES),
    })  # fmt: skip
    pq.write_table(table, tmp_path / "rows.parquet")
    shop = project.entity("shop")
    for store in both:
        store.apply([shop, project.view(project.source(tmp_path / "rows.parquet"), [shop])])
    frame = pd.DataFrame({"shop": asked, "event_timestamp": pd.Timestamp(NOON, tz="UTC")})
    ours, theirs = (s.get_historical_features(frame, ["shop:value"]).to_df() for s in both)
    same(ours, theirs)
