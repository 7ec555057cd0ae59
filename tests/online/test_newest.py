"""A newer value is never overwritten by an older one, in any online store, whoever writes."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import project
import pytest
from feast import FeatureStore, PushSource
from project import NOON, hours, utc

Opened = Callable[[], FeatureStore]
TICK = timedelta(microseconds=1)


def row(value: float, event: datetime, created: datetime | None = None, shop: int = 1) -> Any:
    return {"shop": shop, "value": value, "event": utc(event), "created": utc(created or event)}


@pytest.fixture
def store(opened: Opened, tmp_path: Path) -> FeatureStore:
    path = project.write(tmp_path / "rows" / "1.parquet", [row(0.0, NOON, shop=9)])
    found, shop = opened(), project.entity("shop")
    pushed = PushSource(name="pushed", batch_source=project.source(path.parent))
    found.apply([shop, project.view(pushed, [shop], ttl=hours(100_000))])
    return found


def push(store: FeatureStore, *rows: Any) -> None:
    frame = pd.DataFrame(rows)
    times = {name: pd.to_datetime(frame[name], utc=True) for name in ("event", "created")}
    store.push("pushed", frame.assign(**times))


def value(store: FeatureStore, shop: int = 1) -> float | None:
    found: float | None = store.get_online_features(
        ["shop:value"], [{"shop": shop}]
    ).to_dict()["value"][0]  # fmt: skip
    return found


def test_a_push_of_an_older_time_changes_nothing(store: FeatureStore) -> None:
    push(store, row(2.0, NOON))
    push(store, row(1.0, NOON - TICK))
    assert value(store) == 2.0


def test_a_push_of_a_newer_time_counts(store: FeatureStore) -> None:
    push(store, row(1.0, NOON))
    push(store, row(2.0, NOON + TICK))
    assert value(store) == 2.0


def test_of_equal_times_the_row_created_last_counts(store: FeatureStore) -> None:
    rows = [row(1.0, NOON, NOON + hours(1)), row(2.0, NOON, NOON + hours(3))]
    for order in (rows, rows[::-1]):
        push(store, *order[:1])
        push(store, *order[1:])
        assert value(store) == 2.0


def test_the_order_within_a_push_does_not_matter(store: FeatureStore) -> None:
    rows = [row(float(n), NOON + n * TICK) for n in range(3)]
    for shop, order in enumerate(itertools.permutations(rows)):
        push(store, *({**one, "shop": shop} for one in order))
        assert value(store, shop) == 2.0


def test_a_materialization_of_older_rows_changes_nothing(
    store: FeatureStore, tmp_path: Path
) -> None:
    push(store, row(2.0, NOON + hours(1)))
    project.write(tmp_path / "rows" / "2.parquet", [row(1.0, NOON)])
    store.materialize(utc(NOON - hours(1)), utc(NOON))
    assert value(store) == 2.0
    assert value(store, 9) == 0.0


def test_times_are_those_that_were_written(store: FeatureStore) -> None:
    time = NOON + 123_456 * TICK
    push(store, row(1.0, time))
    found = store.get_online_features(["shop:value"], [{"shop": 1}]).proto
    place = list(found.metadata.feature_names.val).index("value")
    stored = found.results[place].event_timestamps[0]
    assert (stored.seconds, stored.nanos) == (int(utc(time).timestamp()), 123_456_000)


WRITERS, PUSHES = 4, 25


def write(opened: Opened, number: int) -> None:
    store = opened()
    for n in range(PUSHES):
        push(store, row(float(n), NOON + n * TICK), row(float(number), NOON, shop=100 + number))


def test_of_several_writers_at_once_the_newest_row_stays(
    store: FeatureStore, opened: Opened
) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write, args=(opened, n)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert value(store) == float(PUSHES - 1)
    assert [value(store, 100 + n) for n in range(WRITERS)] == [float(n) for n in range(WRITERS)]


def test_a_row_that_does_not_say_when_it_was_created_counts_from_its_event(
    store: FeatureStore,
) -> None:
    unsaid = row(1.0, NOON) | {"created": pd.NaT}
    push(store, unsaid)
    assert value(store) == 1.0
    push(store, row(2.0, NOON, NOON + TICK))
    assert value(store) == 2.0
    push(store, unsaid)
    assert value(store) == 2.0
