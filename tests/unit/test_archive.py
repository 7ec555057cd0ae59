"""Archive: days go in, and only what was known at the cut-off comes out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from driftloop.archive import Archive
from driftloop_contracts.object_store import FileStore, ObjectStore

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
