"""Parity on real stores: what was served is what is joined, and each fault is found and named."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from driftloop import parity_check, parquet, usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.archive import Archive
from driftloop.features.cause import Cause
from driftloop.inference_log import InferenceLog
from driftloop.parity_check import Checked
from driftloop.training import steps
from driftloop.usecase import UseCase
from driftloop_contracts.errors import RunFailed
from driftloop_contracts.inference import LOOKED_UP
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[2]
FIRST = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")
DAY = pd.Timedelta(days=1)
VIEWS = {
    "query_stats": ("query_id", ("query_ctr_3d", "query_ctr_14d", "query_ctr_28d")),
    "ad_stats": ("ad_id", ("ad_ctr_14d",)),
}
ENTITIES = 40


@dataclass
class World:
    """A loop's archive and log; ``serving`` and ``training`` are its two sides."""

    case: UseCase
    archive: Archive
    log: InferenceLog
    serving: FeatureRepository
    training: FeatureRepository
    served: int = 0

    def learn(self, day: int) -> None:
        """Write a midnight's feature rows, each value its own."""
        now = FIRST + day * DAY
        for view, rows in self.rows(now, day).items():
            self.archive.put_features(view, now.to_pydatetime(), rows)

    def rows(self, now: pd.Timestamp, seed: int) -> dict[str, pd.DataFrame]:
        rng, found = np.random.default_rng(seed), {}
        for view, (key, names) in VIEWS.items():
            values = {name: rng.normal(-2, 1, ENTITIES) for name in names}
            frame = pd.DataFrame({key: range(ENTITIES), "event_timestamp": now, **values})
            found[view] = frame.astype({"event_timestamp": "datetime64[us, UTC]"})
        return found

    def serve(self, time: pd.Timestamp, count: int = 60) -> None:
        """Answer requests at ``time`` and log them as the sidecar does."""
        asked = pd.DataFrame({"query_id": np.arange(count) % 50, "ad_id": np.arange(count) % 45})
        answer = self.serving.online(asked, time.to_pydatetime())
        ids = [f"p{self.served + n}" for n in range(count)]
        records = answer.rows.assign(prediction_id=ids, event_time=time, weight=1.0, prediction=0.1)
        for view, times in answer.found.times.items():
            column = pd.Series(pd.to_datetime(times, unit="us", utc=True))
            records[f"{view}{LOOKED_UP}"] = column.astype("datetime64[us, UTC]")
        self.served += count
        place = f"inference/ads-ctr/{time:date=%Y-%m-%d/hour=%H}/{self.served}.parquet"
        self.archive.store.put(place, parquet.dump(records))

    def check(self) -> Checked:
        """Compare everything that was served."""
        self.training.apply(self.archive.feature_folder(Path("unused")))
        end = FIRST + 40 * DAY
        return parity_check.check(
            self.log, self.training, FIRST.to_pydatetime(), end.to_pydatetime()
        )


@pytest.fixture
def case() -> UseCase:
    return usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})


@pytest.fixture
def world(case: UseCase, tmp_path: Path) -> World:
    """Three days that were learnt, materialized and served."""
    store = FileStore(tmp_path / "store")
    sides = [FeatureRepository(case, tmp_path / side) for side in ("serving", "training")]
    log = InferenceLog(store, case.loop.name, timedelta(days=1))
    found = World(case, Archive(store, case.loop.name), log, *sides)
    found.learn(0)
    found.serving.apply(found.archive.feature_folder(tmp_path))
    for day in range(3):
        found.learn(day)
        now = (FIRST + day * DAY).to_pydatetime()
        found.serving.materialize(now, now)
        found.serve(FIRST + day * DAY + pd.Timedelta(hours=9))
    return found


def causes(checked: Checked) -> dict[str, set[Cause]]:
    return {f.feature: {one for one, _ in f.causes} for f in checked.features if f.causes}


QUERY = set(VIEWS["query_stats"][1])


def test_what_was_served_is_what_is_joined(world: World) -> None:
    checked = world.check()
    assert checked.records == 180
    assert checked.differing == 0
    assert [feature.rows for feature in checked.features] == [180] * 4
    checked.require(0.0)


def test_a_backfill_that_says_when_it_was_written_is_no_mismatch(world: World) -> None:
    late = FIRST + DAY + pd.Timedelta(hours=6)
    rows = world.rows(late, 99)["query_stats"]
    written = pd.Series(FIRST + 20 * DAY, rows.index)
    world.archive.put("features/query_stats", "backfill", rows.assign(created_timestamp=written))
    assert world.check().differing == 0


def test_a_leaked_backfill_is_found_and_named(world: World) -> None:
    late = FIRST + DAY + pd.Timedelta(hours=6)
    rows = world.rows(late, 99)["query_stats"]
    world.archive.put("features/query_stats", "backfill", rows.assign(created_timestamp=late))
    checked = world.check()
    assert causes(checked) == dict.fromkeys(QUERY, {Cause.LATE_ROW})
    # Of the day that it is of, all requests of known queries; later days have a newer row.
    assert checked.features[0].differing == sum(n % 50 < ENTITIES for n in range(60))
    with pytest.raises(RunFailed, match=r"query_ctr_3d in 27.8% of 180 rows.*likely late row"):
        checked.require(0.01)


def test_an_expired_value_that_was_served_is_found_and_named(world: World, tmp_path: Path) -> None:
    """The serving side runs older definitions, in which values live longer."""
    folder = tmp_path / "old" / "ads_older"
    shutil.copytree(world.case.folder, folder)
    code = (folder / "features.py").read_text()
    assert "TTL = timedelta(days=5)" in code
    (folder / "features.py").write_text(code.replace("timedelta(days=5)", "timedelta(days=50)"))
    older = replace(world.case, name="ads_older", folder=folder)
    world.serving = FeatureRepository(older, tmp_path / "older")
    world.serving.apply(world.archive.feature_folder(tmp_path))
    world.serving.materialize(FIRST.to_pydatetime(), (FIRST + 2 * DAY).to_pydatetime())
    world.serve(FIRST + 9 * DAY)
    checked = world.check()
    assert causes(checked) == dict.fromkeys({*QUERY, "ad_ctr_14d"}, {Cause.EXPIRED})
    assert checked.features[0].differing == sum(n % 50 < ENTITIES for n in range(60))


def test_a_change_of_unit_is_found_and_named(world: World) -> None:
    """The offline rows are rewritten in percent after they were served."""
    for day in range(3):
        now = FIRST + day * DAY
        rows = world.rows(now, day)["ad_stats"]
        rows["ad_ctr_14d"] *= 100
        world.archive.put_features("ad_stats", now.to_pydatetime(), rows)
    checked = world.check()
    assert causes(checked) == {"ad_ctr_14d": {Cause.UNIT}}
    example = str(checked.features[3].example)
    assert example.startswith("p0 at 2026-01-01T09:00:00Z: served -")


def test_a_row_that_was_never_written_offline_is_found_and_named(world: World) -> None:
    world.archive.store.put("features/ads-ctr/ad_stats/2026-01-03.parquet",
        parquet.dump(world.rows(FIRST, 0)["ad_stats"].assign(created_timestamp=FIRST)))  # fmt: skip
    assert causes(world.check()) == {"ad_ctr_14d": {Cause.UNKNOWN_ROW}}


def test_a_materialization_that_lagged_is_found_and_named(world: World) -> None:
    world.learn(3)
    world.serve(FIRST + 3 * DAY + pd.Timedelta(hours=1))
    late = {Cause.LATE_ROW}
    assert causes(world.check()) == dict.fromkeys({*QUERY, "ad_ctr_14d"}, late)


def test_without_records_nothing_is_compared(world: World) -> None:
    nothing = InferenceLog(world.archive.store, "other", timedelta(days=1))
    checked = parity_check.latest(nothing, world.training, timedelta(days=1))
    assert (checked.records, checked.differing) == (0, 0)
    checked.require(0.0)


def test_a_training_stops_before_it_learns_what_was_not_served(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(usecase.FOLDER_VARIABLE, str(ROOT / "usecases"))
    asked = pd.DataFrame({"query_id": [1], "ad_id": [2], "event_time": FIRST + DAY})
    (tmp_path / "valid").write_bytes(parquet.dump(asked))
    paths = str(tmp_path / "valid"), str(tmp_path / "joined")
    cutoff = (FIRST + 4 * DAY).isoformat()
    given = "ads_ctr", world.archive.store.uri, json.dumps({"cutoff": cutoff}), *paths
    facts = steps.build_features(*given)
    assert facts["parity"]["records"] == 60  # Those of the last 24 hours.
    assert facts["parity"]["differing"] == 0
    (tmp_path / "joined").unlink()

    late = FIRST + 2 * DAY + pd.Timedelta(hours=6)
    rows = world.rows(late, 99)["query_stats"]
    world.archive.put("features/query_stats", "backfill", rows.assign(created_timestamp=late))
    with pytest.raises(RunFailed, match="late row"):
        steps.build_features(*given)
    assert not (tmp_path / "joined").exists()


def test_a_check_ends_at_its_cut_off(world: World) -> None:
    world.serve(FIRST + 30 * DAY)  # Everything that is known then has expired.
    cutoff = (FIRST + 2 * DAY).to_pydatetime()
    world.training.apply(world.archive.feature_folder(Path("unused")))
    checked = parity_check.latest(world.log, world.training, timedelta(days=1), cutoff)
    assert (checked.records, checked.end) == (60, world.log.newest(cutoff) + timedelta(0, 0, 1))
    assert checked.end < cutoff


def test_what_another_bundle_served_is_nothing_to_compare(world: World) -> None:
    """A column was added, and one became a number, since these records were logged."""
    for number, changes in enumerate(({"ad_ctr_14d": None}, {"ad_ctr_14d": "high"})):
        time = FIRST + 2 * DAY + pd.Timedelta(hours=20 + number)
        old = world.log.read(FIRST, FIRST + DAY).assign(event_time=time, **changes)
        old["prediction_id"] = old["prediction_id"] + str(number)
        dropped = ["ad_ctr_14d"] if changes["ad_ctr_14d"] is None else []
        place = f"inference/ads-ctr/{time:date=%Y-%m-%d/hour=%H}/old.parquet"
        world.archive.store.put(place, parquet.dump(old.drop(columns=dropped)))
    checked = world.check()
    assert (checked.records, checked.differing) == (180, 0)
