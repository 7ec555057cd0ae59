"""Materialization: the newest rows get there once, whatever is killed, and readers never wait."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import project
import pyarrow as pa
import pytest
from feast import FeatureService, FeatureStore
from project import NOON, hours, utc

from driftloop.adapters import materialization
from driftloop.adapters.feature_lookup import FeatureLookup

Opened = Callable[[], FeatureStore]
SHOPS, BATCH = 3_000, 100
SPAN = utc(NOON - hours(1)), utc(NOON + hours(1))
RUN = """
import json, sys
from driftloop.adapters import materialization
from feast import FeatureStore, RepoConfig
from datetime import datetime
settings, batch, *span = json.loads(sys.stdin.read())
materialization.BATCH = batch
store = FeatureStore(config=RepoConfig(**settings))
first, last = map(datetime.fromisoformat, span)
print(materialization.copy(store, store.get_feature_view("stats"), first, last))
"""


@pytest.fixture
def store(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    monkeypatch.setattr(materialization, "BATCH", BATCH)
    write(tmp_path / "rows" / "1.parquet", 0, 1.0)
    found, shop = opened(), project.entity("shop")
    source = project.source(tmp_path / "rows")
    view = project.view(source, [shop], name="stats", features=("value", "other"))
    found.apply([shop, view, FeatureService(name="service", features=[view])])
    return found


def write(path: Path, after: float, value: float) -> None:
    time = pa.array([utc(NOON + hours(after))] * SHOPS, project.TIMES)
    numbers = np.arange(SHOPS)
    columns = {"shop": numbers, "value": numbers * value, "other": -numbers * value}
    path.parent.mkdir(exist_ok=True)
    pa.parquet.write_table(pa.table(columns | {"event": time, "created": time}), path)


def copy(store: FeatureStore) -> int:
    return materialization.copy(store, store.get_feature_view("stats"), *SPAN)


def stored(store: FeatureStore) -> list[Any]:
    found = FeatureLookup(store, "service").at({"shop": list(range(SHOPS))}, SPAN[1])
    return found.values["value"]


def test_every_entity_is_written_once(store: FeatureStore) -> None:
    assert copy(store) == SHOPS
    assert stored(store) == [float(n) for n in range(SHOPS)]
    assert copy(store) == 0


def test_rows_that_came_late_are_written_by_the_next_run(
    store: FeatureStore, tmp_path: Path
) -> None:
    copy(store)
    write(tmp_path / "rows" / "2.parquet", 0.5, 2.0)
    assert copy(store) == SHOPS
    assert stored(store) == [2.0 * n for n in range(SHOPS)]


def test_an_online_store_that_lost_its_data_is_filled_again(
    store: FeatureStore,
) -> None:
    copy(store)
    view, online = store.get_feature_view("stats"), store._get_provider().online_store
    for dropped, kept in (([view], []), ([], [view])):
        online.update(store.config, dropped, kept, [], [], partial=False)
    assert copy(store) == SHOPS
    assert stored(store) == [float(n) for n in range(SHOPS)]


def test_a_row_that_no_entity_can_have_is_left_out(store: FeatureStore, tmp_path: Path) -> None:
    path = tmp_path / "rows" / "2.parquet"
    write(path, 0.5, 2.0)
    rows = pd.read_parquet(path).astype({"shop": "Int64"})
    rows.loc[rows["shop"] % 2 == 1, "shop"] = None
    rows.to_parquet(path)
    assert copy(store) == SHOPS
    assert stored(store)[:4] == [0.0, 1.0, 4.0, 3.0]


def test_a_run_that_was_killed_is_resumed(store: FeatureStore, settings: dict[str, Any]) -> None:
    view, online = store.get_feature_view("stats"), store._get_provider().online_store
    child = started(settings)
    while child.poll() is None and online.progress(store.config, view)[1] < SHOPS // 3:
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    _, done = online.progress(store.config, view)
    assert 0 < done < SHOPS
    written = copy(store)
    assert written == SHOPS - done
    assert stored(store) == [float(n) for n in range(SHOPS)]


def started(settings: dict[str, Any]) -> subprocess.Popen[str]:
    """Start the same materialization in a process of its own, in small batches."""
    child = subprocess.Popen([sys.executable, "-c", RUN], stdin=subprocess.PIPE, text=True)
    assert child.stdin is not None
    known = {**settings, "repo_path": str(settings["repo_path"])}
    json.dump([known, 10, *[moment.isoformat() for moment in SPAN]], child.stdin)
    child.stdin.close()
    return child


def test_readers_see_whole_rows_and_are_not_kept_waiting(
    store: FeatureStore, opened: Opened, tmp_path: Path
) -> None:
    copy(store)
    write(tmp_path / "rows" / "2.parquet", 0.5, 2.0)
    writer = threading.Thread(target=copy, args=(store,))
    lookup, seconds, pairs = FeatureLookup(opened(), "service"), [], set()
    writer.start()
    while writer.is_alive():
        began = time.perf_counter()
        found = lookup.at({"shop": [SHOPS - 1]}, SPAN[1])
        seconds.append(time.perf_counter() - began)
        pairs.add((found.values["value"][0], found.values["other"][0]))
    writer.join()
    last = float(SHOPS - 1)
    assert pairs <= {(last, -last), (2 * last, -2 * last)}
    assert len(seconds) > 20
    # A reader that waits for a writer's lock would take as long as one batch, or an error.
    assert np.median(seconds) < 0.05
