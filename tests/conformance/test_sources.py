"""Where an offline store of Feast must be able to read from, and in which types."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pyarrow as pa
import pytest
from project import NOON, hours

ROWS = [
    {"shop": shop, "value": float(10 * shop + n), "event": time, "created": time}
    for shop in (1, 2)
    for n, time in enumerate((NOON, NOON + hours(1)))
]
ASKED = [
    {"shop": shop, "event_timestamp": NOON + hours(n)} for n in (0.5, 1) for shop in (2, 1)
]  # fmt: skip
EXPECTED = [20.0, 10.0, 21.0, 11.0]


def joined(folder: Path, path: Path | str, entities: pd.DataFrame | None = None) -> list[Any]:
    store, shop = project.store(folder), project.entity("shop")
    store.apply([shop, project.view(project.source(path), [shop])])
    asked = project.frame(ASKED) if entities is None else entities
    return project.values(store.get_historical_features(asked, ["shop:value"]).to_df())


def test_a_file(tmp_path: Path) -> None:
    assert joined(tmp_path, project.write(tmp_path / "rows.parquet", ROWS)) == EXPECTED


def test_a_relative_path_lies_in_the_repository(tmp_path: Path) -> None:
    project.write(tmp_path / "data" / "rows.parquet", ROWS)
    assert joined(tmp_path, "data/rows.parquet") == EXPECTED


def test_a_folder(tmp_path: Path) -> None:
    for n, row in enumerate(ROWS):
        project.write(tmp_path / "rows" / f"{n}.parquet", [row])
    assert joined(tmp_path, tmp_path / "rows") == EXPECTED


def test_a_glob(tmp_path: Path) -> None:
    for n, row in enumerate(ROWS):
        project.write(tmp_path / "rows" / f"{n}.parquet", [row])
    project.write(tmp_path / "rows" / "notes.txt", [{**ROWS[0], "value": 99.0}])
    assert joined(tmp_path, tmp_path / "rows" / "*.parquet") == EXPECTED


def test_hive_partitions(tmp_path: Path) -> None:
    for row in ROWS:
        name = f"day={row['event']:%Y-%m-%d}/hour={row['event']:%H}/{row['shop']}.parquet"
        project.write(tmp_path / "rows" / name, [row])
    assert joined(tmp_path, tmp_path / "rows") == EXPECTED


def test_files_whose_columns_lie_in_another_order(tmp_path: Path) -> None:
    project.write(tmp_path / "rows" / "1.parquet", ROWS[:2])
    project.write(tmp_path / "rows" / "2.parquet", [dict(reversed(r.items())) for r in ROWS[2:]])
    assert joined(tmp_path, tmp_path / "rows") == EXPECTED


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", None, "America/New_York"])
def test_timestamps_of_any_unit_and_zone(tmp_path: Path, unit: str, zone: str | None) -> None:
    kind = pa.timestamp(unit, zone)
    path = project.write(tmp_path / "rows.parquet", ROWS, event=kind, created=kind)
    assert joined(tmp_path, path) == EXPECTED


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_entity_rows_of_any_unit(tmp_path: Path, unit: str) -> None:
    path = project.write(tmp_path / "rows.parquet", ROWS)
    asked = [{**row, "event_timestamp": row["event_timestamp"]} for row in ASKED]
    frame = project.frame(asked)
    times = frame["event_timestamp"].astype(f"datetime64[{unit}, UTC]")
    assert joined(tmp_path, path, frame.assign(event_timestamp=times)) == EXPECTED


def test_nanoseconds_are_told_apart(tmp_path: Path) -> None:
    kind = pa.timestamp("ns", "UTC")
    noon = pd.Timestamp(NOON, tz="UTC")
    rows = [
        {"shop": 1, "value": float(n), "event": noon + pd.Timedelta(n, "ns")} for n in range(3)
    ]  # fmt: skip
    rows = [{**row, "created": row["event"]} for row in rows]
    path = project.write(tmp_path / "rows.parquet", rows, event=kind, created=kind)
    times = [noon + pd.Timedelta(n, "ns") for n in (-1, 0, 1, 9)]
    asked = pd.DataFrame({"shop": 1, "event_timestamp": pd.DatetimeIndex(times).as_unit("ns")})
    assert joined(tmp_path, path, asked) == [None, 0.0, 1.0, 2.0]


def test_a_ttl_over_files_of_nanoseconds(tmp_path: Path) -> None:
    kind = pa.timestamp("ns", "UTC")
    path = project.write(tmp_path / "rows.parquet", ROWS, event=kind, created=kind)
    store, shop = project.store(tmp_path), project.entity("shop")
    store.apply([shop, project.view(project.source(path), [shop], ttl=hours(1))])
    step = timedelta(microseconds=1)
    times = [NOON + hours(2), NOON + hours(2) + step]
    asked = project.frame([{"shop": 1, "event_timestamp": time} for time in times])
    found = store.get_historical_features(asked, ["shop:value"]).to_df()
    assert project.values(found) == [11.0, None]


def test_keys_of_fewer_bits_in_the_files(tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", ROWS, shop=pa.int32())
    assert joined(tmp_path, path) == EXPECTED


def test_a_source_without_created_timestamps(tmp_path: Path) -> None:
    rows = [{name: row[name] for name in ("shop", "value", "event")} for row in ROWS]
    path = project.write(tmp_path / "rows.parquet", rows)
    store, shop = project.store(tmp_path), project.entity("shop")
    batch = project.source(path, created_timestamp_column="")
    store.apply([shop, project.view(batch, [shop])])
    found = store.get_historical_features(
        project.frame(ASKED), ["shop:value"], filter_by_created_timestamp=True
    ).to_df()
    assert project.values(found) == EXPECTED
