"""What only Spark has: its plans, its sources, results that its executors write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import project
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore, Field, RequestSource
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import (
    SavedDatasetSparkStorage,
    SparkSource,
)
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from project import NOON, hours, utc

from driftloop_contracts.errors import InvalidInput

SHOP = project.entity("shop")


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return project.store(tmp_path)


def rows(count: int = 4, **columns: Any) -> list[dict[str, Any]]:
    """Return a row of shop 1 an hour, valued 0.0, 1.0 ..."""
    times = [NOON + hours(n) for n in range(count)]
    return [
        {"shop": 1, "event": t, "created": t, "value": float(n), **columns}
        for n, t in enumerate(times)
    ]


def asked(*counts: float) -> pd.DataFrame:
    return project.frame([{"shop": 1, "event_timestamp": NOON + hours(n)} for n in counts])


def query(*counts: float) -> str:
    """Return SQL of the rows of ``asked``."""
    told = ", ".join(f"(1L, timestamp'{NOON + hours(n)}Z')" for n in counts)
    return f"SELECT * FROM VALUES {told} AS t(shop, event_timestamp)"


def plan(frame: Any) -> str:
    return str(frame._jdf.queryExecution().executedPlan().toString())


def test_views_of_the_same_keys_cost_one_shuffle(store: FeatureStore, tmp_path: Path) -> None:
    batch = project.source(project.write(tmp_path / "rows.parquet", rows()))
    names = ("one", "two", "three")
    store.apply([SHOP, *(project.view(batch, [SHOP], name=name) for name in names)])
    features = [f"{name}:value" for name in names]
    job = store.get_historical_features(query(1), features, full_feature_names=True)
    assert plan(job.to_spark_df()).count("Exchange hashpartitioning") == 1


def test_the_rows_of_a_pandas_frame_keep_their_order_in_spark(
    store: FeatureStore, tmp_path: Path
) -> None:
    path = project.write(tmp_path / "rows.parquet", rows())
    store.apply([SHOP, project.view(project.source(path), [SHOP])])
    frame = asked(3, 0, 2, 1, -1).assign(note=pd.Categorical([*"abcde"]))
    found = store.get_historical_features(frame, ["shop:value"]).to_spark_df()
    assert found.columns == ["shop", "event_timestamp", "note", "value"]
    assert [(r.note, r.value) for r in found.collect()] == [
        ("a", 3.0), ("b", 0.0), ("c", 2.0), ("d", 1.0), ("e", None),
    ]  # fmt: skip


def test_rows_in_spark_need_a_key_of_the_right_kind(store: FeatureStore, tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", rows())
    store.apply([SHOP, project.view(project.source(path), [SHOP])])
    sql = "SELECT 'one' AS {}, timestamp'2026-03-01 12:00:00' AS event_timestamp"
    with pytest.raises(InvalidInput, match="whole numbers"):
        store.get_historical_features(sql.format("shop"), ["shop:value"])
    with pytest.raises(InvalidInput, match="join key"):
        store.get_historical_features(sql.format("other"), ["shop:value"])


def test_rows_in_spark_need_a_time_in_every_row(store: FeatureStore, tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", rows())
    store.apply([SHOP, project.view(project.source(path), [SHOP])])
    sql = f"{query(1)} UNION ALL SELECT 1L, NULL"
    with pytest.raises(InvalidInput, match="1 without"):
        store.get_historical_features(sql, ["shop:value"])


def test_what_spark_can_read_is_a_source(store: FeatureStore, spark: Any) -> None:
    table = pa.table({
        "shop": [1, 1],
        "value": [1.0, 2.0],
        "event": pa.array([NOON, NOON + hours(1)], project.TIMES),
        "created": pa.array([NOON, NOON + hours(5)], project.TIMES),
    })  # fmt: skip
    spark.createDataFrame(table).createOrReplaceTempView("a_table")
    for named in ({"table": "a_table"}, {"query": "SELECT * FROM a_table"}):
        batch = SparkSource(
            name="rows", timestamp_field="event", created_timestamp_column="created", **named
        )
        store.apply([SHOP, project.view(batch, [SHOP])])
        found = store.get_historical_features(
            asked(0, 2, 5), ["shop:value"], filter_by_created_timestamp=True
        ).to_df()
        assert project.values(found) == [1.0, 1.0, 2.0]


@pytest.mark.parametrize(("written", "value"), [("%Y-%m-%d", 1.0), ("%d.%m.%Y", 9.0)])
def test_only_date_partitions_that_matter_are_read(
    store: FeatureStore, tmp_path: Path, written: str, value: float
) -> None:
    # The newest row is in a partition of another year: whether it is found tells what was read.
    placed = [(0, NOON, 0.0), (1, NOON + hours(24), 1.0), (400, NOON + hours(25), 9.0)]
    for days, event, known in placed:
        row = {"shop": 1, "event": event, "created": event, "value": known}
        day = (NOON + hours(24 * days)).strftime(written)
        project.write(tmp_path / "rows" / f"day={day}" / "1.parquet", [row])
    batch = SparkSource(
        name="rows", query=f"SELECT * FROM parquet.`file://{tmp_path}/rows`",
        timestamp_field="event", created_timestamp_column="created",
        date_partition_column="day", date_partition_column_format=written,
    )  # fmt: skip
    store.apply([SHOP, project.view(batch, [SHOP], ttl=hours(48))])
    job = store.get_historical_features(asked(26), ["shop:value"])
    assert project.values(job.to_df()) == [value]


@pytest.mark.filterwarnings("ignore:(Saving|Retrieving) dataset")
def test_the_executors_write_what_is_in_spark(store: FeatureStore, tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", rows())
    store.apply([SHOP, project.view(project.source(path), [SHOP])])
    storage = SavedDatasetFileStorage(str(tmp_path / "saved"))
    for n in (2, 3):
        job = store.get_historical_features(query(1, n), ["shop:value"])
        if n == 3:
            with pytest.raises(SavedDatasetLocationAlreadyExists):
                job.persist(storage)
        job.persist(storage, allow_overwrite=n == 3)
        assert sorted(project.values(pq.read_table(tmp_path / "saved").to_pandas())) == [1.0, n]


def test_on_demand_features_go_to_files_only(store: FeatureStore, tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", rows())
    view = project.view(project.source(path), [SHOP])
    request = RequestSource(name="request", schema=[Field(name="count", dtype=Int64)])

    @on_demand_feature_view(
        sources=[view, request], schema=[Field(name="total", dtype=Float64)], mode="pandas"
    )
    def totals(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"total": inputs["value"] * inputs["count"]})

    store.apply([SHOP, view, totals])
    sql = query(2).replace("SELECT *", "SELECT *, 3L AS count")
    job = store.get_historical_features(sql, ["totals:total"])
    assert project.values(job.to_df(), "total") == [6.0]
    with pytest.raises(InvalidInput, match="on-demand"):
        job.persist(SavedDatasetSparkStorage(table="totals"))


def test_many_values_lost_by_the_cut_off_are_told(tmp_path: Path) -> None:
    store = project.store(tmp_path, created_cutoff=True)
    path = project.write(tmp_path / "rows.parquet", rows(created=NOON + hours(100)))
    store.apply([SHOP, project.view(project.source(path), [SHOP])])
    with pytest.warns(UserWarning, match="'shop': 66.7% of the entity rows"):
        found = store.get_historical_features(asked(1, 2, 200), ["shop:value"]).to_df()
    assert project.values(found) == [None, None, 3.0]


def test_a_span_starts_and_ends_where_it_is_said(store: FeatureStore, tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", rows())
    store.apply([SHOP, project.view(project.source(path), [SHOP])])
    job = store.get_historical_features(
        features=["shop:value"], start_date=utc(NOON + hours(1)), end_date=utc(NOON + hours(2))
    )
    assert job.metadata.min_event_timestamp == utc(NOON + hours(1))
    assert project.values(job.to_df()) == [1.0, 2.0]
