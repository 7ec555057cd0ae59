"""Archive: days go in, and only what was known at the cut-off comes out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from driftloop import parquet
from driftloop.archive import Archive
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import FileStore, ObjectStore

TIMES = ("event_time", "known_time")
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Three days as 0.1 wrote them; a row is asked at noon, its outcome known a day later."""
    archive = Archive(FileStore(tmp_path), "ads-ctr")
    for number, day in enumerate(DAYS):
        asked = pd.Timestamp(f"{day}T12:00:00Z").as_unit("us")
        row = {"row_id": [f"r{number}"], "event_time": [asked]}
        archive.put("requests", day, pd.DataFrame(row | {"weight": [1.0]}))
        known = asked + pd.Timedelta(days=1)
        outcome = row | {"positives": [0.0], "known_time": [known], "revision": [0]}
        archive.put("outcomes", f"{known:%Y-%m-%d}", pd.DataFrame(outcome))
    return archive


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text, tz="UTC")


def test_requests_end_before_the_cut_off(archive: Archive) -> None:
    found = archive.requests(at("2026-01-01T12:00"), at("2026-01-03T12:00"))
    assert list(found["prediction_id"]) == ["r0", "r1"]


def test_outcomes_are_those_known_at_the_cut_off(archive: Archive) -> None:
    found = archive.outcomes(at("2026-01-01"), at("2026-01-03T12:00"), "click")
    assert list(found["prediction_id"]) == ["r0", "r1"]
    assert list(found["value"]) == [0.0, 0.0]
    assert list(found["label"]) == ["click", "click"]
    found = archive.outcomes(at("2026-01-01"), at("2026-01-03T11:59"), "click")
    assert list(found["prediction_id"]) == ["r0"]


def test_nothing_is_an_empty_frame_that_can_be_merged(tmp_path: Path) -> None:
    nothing = Archive(FileStore(tmp_path), "ads-ctr")
    requests = nothing.requests(at("2026-01-01"), at("2026-01-02"))
    outcomes = nothing.outcomes(at("2026-01-01"), at("2026-01-02"), "click")
    assert requests.merge(outcomes, on="prediction_id").empty


def test_loops_do_not_see_each_other(archive: Archive) -> None:
    other = Archive(archive.store, "ads")
    assert other.requests(at("2026-01-01"), at("2026-01-09")).empty


class Remote:
    """A store that is no folder, so that feature files must be copied."""

    def __init__(self, store: ObjectStore) -> None:
        self.store, self.read = store, list[str]()

    def list(self, prefix: str) -> list[str]:
        return self.store.list(prefix)

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return self.store.get(key)


def test_feature_files_are_copied_once_each(archive: Archive, tmp_path: Path) -> None:
    archive.put("features/query", DAYS[0], pd.DataFrame({"a": [1]}))
    remote = Archive(Remote(archive.store), "ads-ctr")
    folder = remote.feature_folder(tmp_path / "scratch")
    archive.put("features/query", DAYS[1], pd.DataFrame({"a": [2]}))
    remote.feature_folder(tmp_path / "scratch")
    files = sorted(path.name for path in (folder / "query").iterdir())
    assert files == [f"{day}.parquet" for day in DAYS[:2]]
    assert len(remote.store.read) == 2
    assert archive.feature_folder(tmp_path / "unused") != tmp_path / "unused"


def test_feature_rows_say_when_they_were_written(archive: Archive, tmp_path: Path) -> None:
    rows = pd.DataFrame({"query_id": [1], "event_timestamp": [at("2026-01-01")]})
    archive.put_features("query", at("2026-01-02T03:00"), rows)
    folder = archive.feature_folder(tmp_path / "scratch")
    written = pd.read_parquet(folder / "query" / "2026-01-02.parquet")
    assert written["created_timestamp"].tolist() == [at("2026-01-02T03:00")]


def test_feature_rows_that_do_not_say_it_count_from_their_event_time(
    archive: Archive, tmp_path: Path
) -> None:
    rows = pd.DataFrame({"query_id": [1], "event_timestamp": [at("2026-01-01")]})
    archive.put("features/query", DAYS[0], rows)
    remote = Archive(Remote(archive.store), "ads-ctr")
    copied = pd.read_parquet(remote.feature_folder(tmp_path / "scratch") / "query")
    assert copied["created_timestamp"].tolist() == [at("2026-01-01")]


def test_rows_as_0_1_wrote_them_lie_beside_those_of_today(archive: Archive) -> None:
    told = {"prediction_id": ["r9"], "label": ["sold"], "value": [1.0], "revision": [0]}
    time = pd.Timestamp("2026-01-03T13:00+01:00").as_unit("us")
    archive.put("outcomes", "2026-01-03b", pd.DataFrame(told | dict.fromkeys(TIMES, [time])))
    found = archive.outcomes(at("2026-01-01"), at("2026-01-04"), "click")
    assert dict(zip(found["prediction_id"], found["label"], strict=True)) == {
        "r0": "click", "r1": "click", "r9": "sold",
    }  # fmt: skip
    assert found["value"].tolist() == [0.0, 0.0, 1.0]
    assert str(found["known_time"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the content in outcomes/ads-ctr/2026-01-02.parquet must be parquet"),
        (pd.DataFrame({"prediction_id": ["r"]}), "column 'event_time' in outcomes/"),
        (
            pd.DataFrame({"prediction_id": ["r"], "event_time": ["noon"], "known_time": ["noon"]}),
            "must be times with their zone",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    archive: Archive, content: bytes | pd.DataFrame, sentence: str
) -> None:
    data = content if isinstance(content, bytes) else parquet.dump(content)
    archive.store.put("outcomes/ads-ctr/2026-01-02.parquet", data)
    with pytest.raises(InvalidInput, match=sentence):
        archive.outcomes(at("2026-01-01"), at("2026-01-04"), "click")


def test_feature_rows_on_disk_that_do_not_say_when_are_copied(
    archive: Archive, tmp_path: Path
) -> None:
    rows = pd.DataFrame({"query_id": [1], "event_timestamp": [at("2026-01-01")]})
    archive.put("features/query", DAYS[0], rows)
    archive.put_features("query", at("2026-01-02"), rows)
    folder = archive.feature_folder(tmp_path / "scratch")
    found = pd.read_parquet(folder / "query")["created_timestamp"]
    assert sorted(found) == [at("2026-01-01"), at("2026-01-02")]


def test_an_older_name_beside_todays_is_a_column_of_the_writers_own(tmp_path: Path) -> None:
    archive, asked = Archive(FileStore(tmp_path), "loop"), pd.Timestamp("2026-01-01T12:00Z")
    row = {"prediction_id": ["p"], "row_id": ["r"], "value": [1.0], "positives": [7.0]}
    row |= {"label": ["clicked"], "revision": [0], "event_time": [asked], "known_time": [asked]}
    archive.put("outcomes", "2026-01-01", pd.DataFrame(row))
    found = archive.outcomes(at("2026-01-01"), at("2026-01-02"), "clicked")
    assert found[["prediction_id", "value"]].to_numpy().tolist() == [["p", 1.0]]
