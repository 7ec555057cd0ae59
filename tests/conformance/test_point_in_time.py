"""What any offline store of Feast must do in a point-in-time join."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pytest
from feast import FeatureStore
from feast.value_type import ValueType
from hypothesis import given, settings
from hypothesis import strategies as st
from project import NOON, hours
from reference import point_in_time

Rows = list[dict[str, Any]]


def row(shop: Any, value: float, event: datetime, created: datetime | None = None) -> Any:
    return {"shop": shop, "value": value, "event": event, "created": created or event}


def asked(shop: Any, time: datetime, **others: Any) -> Any:
    return {"shop": shop, "event_timestamp": time, **others}


def join(
    folder: Path, rows: Rows, entities: Rows, ttl: timedelta = timedelta(0), cutoff: bool = False,
    kind: ValueType = ValueType.INT64,
) -> pd.DataFrame:  # fmt: skip
    """Return ``entities`` with the value of ``rows``, by the store under test."""
    path = project.write(folder / "data" / "rows.parquet", rows)
    store = project.store(folder)
    shop = project.entity("shop", kind)
    store.apply([shop, project.view(project.source(path), [shop], ttl=ttl)])
    return historical(store, entities, cutoff)


def historical(store: FeatureStore, entities: Rows, cutoff: bool = False) -> pd.DataFrame:
    return store.get_historical_features(
        project.frame(entities), ["shop:value"], filter_by_created_timestamp=cutoff
    ).to_df()


def test_a_row_without_features_stays(tmp_path: Path) -> None:
    entities = [asked(7, NOON, label=1), asked(1, NOON, label=2)]
    found = join(tmp_path, [row(1, 5.0, NOON)], entities)
    assert project.values(found) == [None, 5.0]
    assert found["label"].tolist() == [1, 2]


def test_the_order_and_the_duplicates_of_the_caller_stay(tmp_path: Path) -> None:
    shops = [2, 1, 3, 1, 2, 2]
    entities = [asked(shop, NOON, number=n) for n, shop in enumerate(shops)]
    found = join(tmp_path, [row(shop, shop / 2, NOON) for shop in (1, 2, 3)], entities)
    assert found["number"].tolist() == list(range(6))
    assert project.values(found) == [1.0, 0.5, 1.5, 0.5, 1.0, 1.0]


def test_the_newest_row_not_after_the_time_counts(tmp_path: Path) -> None:
    rows = [row(1, float(n), NOON + hours(n)) for n in (4, 0, 2)]
    times = [NOON - hours(1), NOON, NOON + hours(1.9), NOON + hours(2), NOON + hours(99)]
    found = join(tmp_path, rows, [asked(1, time) for time in times])
    assert project.values(found) == [None, 0.0, 0.0, 2.0, 4.0]


def test_both_ends_of_the_ttl_are_inclusive(tmp_path: Path) -> None:
    step = timedelta(microseconds=1)
    times = [NOON - step, NOON, NOON + hours(1), NOON + hours(1) + step]
    found = join(tmp_path, [row(1, 3.0, NOON)], [asked(1, t) for t in times], ttl=hours(1))
    assert project.values(found) == [None, 3.0, 3.0, None]


def test_of_two_rows_of_one_time_the_one_created_last_counts(tmp_path: Path) -> None:
    rows = [row(1, 1.0, NOON, NOON + hours(2)), row(1, 2.0, NOON, NOON + hours(1))]
    found = join(tmp_path, rows, [asked(1, NOON + hours(5))])
    assert project.values(found) == [1.0]


def test_rows_equal_in_both_times_give_one_row(tmp_path: Path) -> None:
    rows = [row(1, 1.0, NOON), row(1, 2.0, NOON)]
    found = join(tmp_path, rows, [asked(1, NOON), asked(1, NOON)])
    assert len(found) == 2
    assert project.values(found)[0] == project.values(found)[1]
    assert project.values(found)[0] in (1.0, 2.0)


def test_a_backfill_is_not_known_before_it_was_written(tmp_path: Path) -> None:
    rows = [row(1, 1.0, NOON), row(1, 2.0, NOON + hours(1), created=NOON + hours(9))]
    entities = [asked(1, NOON + hours(n)) for n in (2, 9)]
    assert project.values(join(tmp_path, rows, entities, cutoff=True)) == [1.0, 2.0]


def test_a_late_correction_of_an_old_value_does_not_hide_a_newer_value(tmp_path: Path) -> None:
    rows = [row(1, 1.0, NOON), row(1, 2.0, NOON + hours(1)), row(1, 9.0, NOON, NOON + hours(3))]
    found = join(tmp_path, rows, [asked(1, NOON + hours(4))], cutoff=True)
    assert project.values(found) == [2.0]


def test_a_key_that_is_null_has_no_features(tmp_path: Path) -> None:
    rows = [row("a", 1.0, NOON), row(None, 2.0, NOON)]
    entities = [asked("a", NOON), asked(None, NOON)]
    found = join(tmp_path, rows, entities, kind=ValueType.STRING)
    assert project.values(found) == [1.0, None]


def test_a_feature_that_is_null_hides_older_values(tmp_path: Path) -> None:
    rows = [row(1, 1.0, NOON), {**row(1, 0.0, NOON + hours(1)), "value": None}]
    found = join(tmp_path, rows, [asked(1, NOON + hours(2))])
    assert project.values(found) == [None]


def test_any_time_zone_of_the_caller_is_the_same_instant(tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", [row(1, 1.0, NOON)])
    store, shop = project.store(tmp_path), project.entity("shop")
    store.apply([shop, project.view(project.source(path), [shop])])
    times = pd.to_datetime(["2026-03-01 11:59:59Z", "2026-03-01 12:00:00Z"])
    entities = pd.DataFrame({"shop": [1, 1], "event_timestamp": times.tz_convert("Asia/Kolkata")})
    found = store.get_historical_features(entities, ["shop:value"]).to_df()
    assert project.values(found) == [None, 1.0]
    assert found["event_timestamp"].tolist() == entities["event_timestamp"].tolist()


def test_no_rows_ask_for_nothing(tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", [row(1, 1.0, NOON)])
    store, shop = project.store(tmp_path), project.entity("shop")
    store.apply([shop, project.view(project.source(path), [shop])])
    entities = project.frame([asked(1, NOON)]).iloc[:0]
    found = store.get_historical_features(entities, ["shop:value"]).to_df()
    assert found.columns.tolist() == ["shop", "event_timestamp", "value"]
    assert found.empty


minutes = st.integers(0, 12).map(lambda n: NOON + timedelta(minutes=n))
feature_rows = st.lists(
    st.builds(row, st.integers(1, 3), st.just(0.0), minutes, minutes),
    min_size=1,
    max_size=12,
    unique_by=lambda r: (r["shop"], r["event"], r["created"]),
)
entity_rows = st.lists(st.builds(asked, st.integers(1, 4), minutes), min_size=1, max_size=8)


@pytest.mark.parametrize("cutoff", [False, True])
@settings(max_examples=60, deadline=None)
@given(rows=feature_rows, entities=entity_rows, ttl=st.integers(0, 6))
def test_the_store_agrees_with_the_reference(
    rows: Rows, entities: Rows, ttl: int, cutoff: bool
) -> None:
    rows = [{**r, "value": float(n)} for n, r in enumerate(rows)]
    length = timedelta(minutes=ttl)
    expected = point_in_time(entities, rows, ["shop"], length, cutoff)
    with tempfile.TemporaryDirectory() as folder:
        found = join(Path(folder), rows, entities, length, cutoff)
    assert project.values(found) == [e and e["value"] for e in expected]
