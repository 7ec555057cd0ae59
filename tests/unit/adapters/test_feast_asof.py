"""What the as-of store promises beyond what any offline store must (tests/conformance)."""

from __future__ import annotations

import warnings
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pyarrow as pa
import pytest
from feast import FeatureStore, FileSource
from feast.data_source import PushMode, PushSource
from project import NOON, hours

from driftloop.adapters.feast_asof import AsofOfflineStoreConfig
from driftloop_contracts.errors import InvalidInput


def row(shop: Any, value: float, created: float = 0) -> dict[str, Any]:
    return {"shop": shop, "value": value, "event": NOON, "created": NOON + hours(created)}


def applied(
    folder: Path, rows: list[dict[str, Any]], settings: dict[str, Any] | None = None, **kind: Any
) -> FeatureStore:
    path = project.write(folder / "rows.parquet", rows)
    store, shop = project.store(folder, **settings or {}), project.entity("shop", **kind)
    store.apply([shop, project.view(project.source(path), [shop])])
    return store


def asked(shop: Any = 1, after: float = 1) -> pd.DataFrame:
    return project.frame([{"shop": shop, "event_timestamp": NOON + hours(after)}])


def test_whole_keys_beyond_the_precision_of_floats_are_told_apart(tmp_path: Path) -> None:
    exact = 2**53
    store = applied(tmp_path, [row(exact, 1.0), row(exact + 1, 2.0)])
    # A null makes pandas keep the whole numbers as floats.
    entities = pd.concat([asked(exact), asked(None)], ignore_index=True)
    found = store.get_historical_features(entities, ["shop:value"]).to_df()
    assert project.values(found) == [1.0, None]


def test_keys_may_be_categories(tmp_path: Path) -> None:
    store = applied(tmp_path, [row("a", 1.0)], kind=project.TEXT)
    entities = asked("a").astype({"shop": "category"})
    found = store.get_historical_features(entities, ["shop:value"]).to_df()
    assert project.values(found) == [1.0]


def test_a_day_counts_from_its_midnight(tmp_path: Path) -> None:
    day = [{**row(1, 1.0), "event": date(2026, 3, 1)}]
    path = project.write(tmp_path / "days.parquet", day, event=pa.date32())
    store, shop = project.store(tmp_path), project.entity("shop")
    store.apply([shop, project.view(project.source(path), [shop], ttl=hours(13))])
    entities = pd.concat([asked(after=1), asked(after=2)], ignore_index=True)
    found = store.get_historical_features(entities, ["shop:value"]).to_df()
    assert project.values(found) == [1.0, None]


def test_a_result_can_be_fetched_again(tmp_path: Path) -> None:
    store = applied(tmp_path, [row(1, 1.0, created=9), row(2, 2.0)], {"created_cutoff": "on"})
    entities = pd.concat([asked(1), asked(2)], ignore_index=True)
    job = store.get_historical_features(entities, ["shop:value"])
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        first = job.to_df()
        assert first.equals(job.to_df())
    assert project.values(first) == [None, 2.0]


def test_the_cutoff_is_a_setting_of_the_project(tmp_path: Path) -> None:
    rows = [row(1, 1.0, created=9)]
    for setting, expected in (("off", [1.0]), ("on", [None])):
        store = applied(tmp_path / setting, rows, {"created_cutoff": setting})
        with warnings.catch_warnings(record=True):
            warnings.simplefilter("always")
            found = store.get_historical_features(asked(), ["shop:value"]).to_df()
        assert project.values(found) == expected


def test_many_values_lost_to_the_cutoff_are_told_with_view_and_share(tmp_path: Path) -> None:
    store = applied(tmp_path, [row(1, 1.0, created=9), row(2, 2.0)], {"created_cutoff": "on"})
    entities = pd.concat([asked(1), asked(2), asked(3), asked(2)], ignore_index=True)
    with pytest.warns(UserWarning, match=r"^Feature view 'shop': 25.0% of the entity rows have no"):
        store.get_historical_features(entities, ["shop:value"]).to_df()


def test_few_values_lost_to_the_cutoff_are_not_told(tmp_path: Path) -> None:
    store = applied(tmp_path, [row(1, 1.0, created=9), row(2, 2.0)], {"created_cutoff": "on"})
    entities = pd.concat([asked(1), *[asked(2)] * 19], ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = store.get_historical_features(entities, ["shop:value"]).to_df()
    assert project.values(found)[0] is None


@pytest.mark.parametrize(
    ("entities", "sentence"),
    [
        pytest.param(
            asked("one"),
            "join key 'shop' in feature view 'shop' must be whole numbers. Got 'string'.",
            id="text for a number",
        ),
        pytest.param(
            asked(1.5), "join key 'shop' in feature view 'shop' must be whole numbers.", id="half"
        ),
        pytest.param(
            asked().drop(columns="shop"),
            "join key in the entity frame must be one of ['event_timestamp']. Got 'shop'.",
            id="no key",
        ),
        pytest.param(
            asked().assign(event_timestamp="noon"),
            "column 'event_timestamp' in the entity frame must be timestamps with a time zone.",
            id="text for a time",
        ),
        pytest.param(
            asked().assign(event_timestamp=pd.Timestamp(NOON)),
            "column 'event_timestamp' in the entity frame must be timestamps with a time zone. "
            "Got 'none'.",
            id="naive",
        ),
        pytest.param(
            asked().assign(event_timestamp=pd.Series([pd.NaT], dtype="datetime64[us, UTC]")),
            "column 'event_timestamp' in the entity frame must be set in every row. "
            "Got '1 without'.",
            id="no time",
        ),
        pytest.param(
            asked().assign(value=1.0),
            "feature in the request must be no column of the entity frame. Got 'value'.",
            id="a feature's name",
        ),
        pytest.param(
            "SELECT 1", "entity_df in the request must be a DataFrame. Got 'str'.", id="SQL"
        ),
    ],
)
def test_an_entity_frame_that_cannot_be_used(
    tmp_path: Path, entities: pd.DataFrame | str, sentence: str
) -> None:
    store = applied(tmp_path, [row(1, 1.0)])
    store.config.coerce_tz_aware = False  # By default Feast takes naive times for UTC.
    with pytest.raises(InvalidInput) as error:
        store.get_historical_features(entities, ["shop:value"]).to_df()
    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param(
            {"timestamp_field": "shop"},
            "column 'shop' in feature view 'shop' must be timestamps. Got 'BIGINT'.",
            id="no timestamps",
        ),
        pytest.param(
            {"timestamp_field": "when"},
            "column in feature view 'shop', {path} must be one of "
            "['created', 'event', 'shop', 'value']. Got 'when'.",
            id="no such column",
        ),
        pytest.param(
            {"field_mapping": {"value": "worth"}},
            "column in feature view 'shop', {path} must be one of "
            "['created', 'event', 'shop', 'worth']. Got 'value'.",
            id="feature mapped away",
        ),
        pytest.param(
            {"path": "nowhere.parquet"},
            "source in feature view 'shop' must be at least one parquet file. Got ",
            id="no file",
        ),
    ],
)
def test_a_source_that_cannot_be_used(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    store = applied(tmp_path, [row(1, 1.0)])
    view = store.get_feature_view("shop")
    options = {"path": view.batch_source.path, "timestamp_field": "event"} | changes
    view.batch_source = FileSource(name="rows", **options)
    # Not applied again: Feast itself would refuse some of these then.
    store.registry.apply_feature_view(view, store.project)
    with pytest.raises(InvalidInput) as error:
        store.get_historical_features(asked(), ["shop:value"])
    assert str(error.value).startswith(sentence.format(path=options["path"]))


def test_an_unknown_feature_is_named(tmp_path: Path) -> None:
    store = applied(tmp_path, [row(1, 1.0)])
    with pytest.raises(Exception, match="worth"):
        store.get_historical_features(asked(), ["shop:worth"])


def test_a_single_file_is_not_added_to(tmp_path: Path) -> None:
    path = project.write(tmp_path / "rows.parquet", [row(1, 1.0)])
    store, shop = project.store(tmp_path), project.entity("shop")
    pushed = PushSource(name="pushed", batch_source=project.source(path))
    store.apply([shop, project.view(pushed, [shop])])
    before = path.read_bytes()
    rows = pd.read_parquet(path)
    with pytest.raises(InvalidInput, match="a folder or a glob"):
        store.push("pushed", rows, to=PushMode.OFFLINE)
    assert path.read_bytes() == before


def test_rows_with_other_columns_are_not_added(tmp_path: Path) -> None:
    folder = project.write(tmp_path / "rows" / "1.parquet", [row(1, 1.0)]).parent
    store, shop = project.store(tmp_path), project.entity("shop")
    view = project.view(project.source(folder), [shop])
    store.apply([shop, view])
    table = pa.table({"shop": [1], "worth": [1.0]})
    offline = store._get_provider().offline_store
    with pytest.raises(InvalidInput, match="columns in feature view 'shop' must be"):
        offline.offline_write_batch(store.config, view, table, None)
    assert len(list(folder.iterdir())) == 1


def test_no_extension_is_ever_fetched() -> None:
    connection = AsofOfflineStoreConfig().connect()
    settings = "SELECT value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions'"
    assert {value for (value,) in connection.execute(settings).fetchall()} == {"false"}
