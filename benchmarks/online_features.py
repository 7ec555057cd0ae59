"""The online lookup's figures, in process: SQLite and Redis, beside Feast's own on the same rows.

    python benchmarks/online_features.py [LOOKUPS]      2000 by default

One row of 20 features in 5 views of 10,000 entities, random ones, in turns with Feast's
``get_online_features`` over its own store; then 20 features in 1, 2, 5, 10 and 20 views. Redis is
Debian's redis-server on a free port of loopback. Prints a table and last one JSON line with its
bars.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64
from feast.value_type import ValueType
from features import bar

from driftloop.adapters import materialization
from driftloop.adapters.feature_lookup import FeatureLookup

ENTITIES, FEATURES = 10_000, 20
NOW = datetime(2026, 1, 2, tzinfo=UTC)
VIEWS = (1, 2, 5, 10, 20)
OURS = "driftloop.adapters.feast_online"


def stores(folder: Path, redis: str | None) -> dict[str, dict[str, Any]]:
    """Return the online stores that are measured, ours and Feast's own."""
    found = {
        "sqlite": {
            "type": f"{OURS}.sqlite.NewestSqliteOnlineStore",
            "path": str(folder / "ours.db"),
        },
        "feast sqlite": {"type": "sqlite", "path": str(folder / "feast.db")},
    }
    if redis:
        found["redis"] = {
            "type": f"{OURS}.redis.NewestRedisOnlineStore",
            "connection_string": f"{redis},db=0",
        }
        found["feast redis"] = {"type": "redis", "connection_string": f"{redis},db=1"}
    return found


def project(folder: Path, online: dict[str, Any], views: int) -> FeatureStore:
    """Return a store with ``views`` views of together 20 features, materialized."""
    folder.mkdir(parents=True, exist_ok=True)
    config = RepoConfig(
        project=f"views{views}",
        provider="local",
        registry=str(folder / f"registry{views}.db"),
        offline_store={"type": "driftloop.adapters.feast_asof.AsofOfflineStore"},
        online_store=online,
        entity_key_serialization_version=3,
    )
    key, each = Entity(name="key", join_keys=["key"], value_type=ValueType.INT64), FEATURES // views
    rng, found = np.random.default_rng(views), []
    for number in range(views):
        names = [f"f{number}_{n}" for n in range(each)]
        rows = pd.DataFrame({"key": range(ENTITIES), **{n: rng.random(ENTITIES) for n in names}})
        path = folder / f"{views}_{number}.parquet"
        rows.assign(event=pd.Timestamp(NOW) - pd.Timedelta(hours=1)).to_parquet(path)
        found.append(
            FeatureView(
                name=f"view{number}",
                entities=[key],
                ttl=timedelta(days=1),
                schema=[Field(name=name, dtype=Float64) for name in names],
                source=FileSource(name=f"s{number}", path=str(path), timestamp_field="event"),
            )
        )
    store = FeatureStore(config=config)
    store.apply([key, *found, FeatureService(name="service", features=found)])
    for view in found:
        _fill(store, view)
    return store


def _fill(store: FeatureStore, view: FeatureView) -> None:
    span = NOW - timedelta(days=1), NOW
    if store.config.online_store.type.startswith(OURS):
        materialization.copy(store, store.get_feature_view(view.name), *span)
    else:
        with (
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            store.materialize(*span, feature_views=[view.name])


def caller(store: FeatureStore) -> Callable[[int], Any]:
    """Return what looks one entity up."""
    if store.config.online_store.type.startswith(OURS):
        lookup = FeatureLookup(store, "service")
        return lambda key: lookup.at({"key": [key]}, NOW).values
    service = store.get_feature_service("service")
    return lambda key: store.get_online_features(service, [{"key": key}]).to_dict()


def measure(calls: dict[str, Callable[[int], Any]], lookups: int) -> dict[str, Any]:
    """Return each one's milliseconds, in turns on the same entities."""
    rng, seconds = np.random.default_rng(0), {name: [] for name in calls}
    for key in rng.integers(0, ENTITIES, lookups + 100).tolist():
        for name, call in calls.items():
            began = time.perf_counter()
            call(key)
            seconds[name].append(time.perf_counter() - began)
    return {name: np.array(times[100:]) * 1000 for name, times in seconds.items()}


def agree(calls: dict[str, Callable[[int], Any]]) -> None:
    """Raise where two of them do not give the same values."""
    first, *others = ({k: v for k, v in call(7).items() if k != "key"} for call in calls.values())
    for other in others:
        assert other == first, (other, first)


@contextmanager
def redis_server() -> Iterator[str | None]:
    """Start a server that keeps nothing; yield its address, None where it is not installed."""
    binary = shutil.which("redis-server")
    if binary is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    lookups = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    bars: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch, redis_server() as redis:
        folder = Path(scratch)
        kinds = stores(folder, redis)
        medians: dict[str, dict[int, float]] = {name: {} for name in kinds}
        for views in VIEWS:
            calls = {
                name: caller(project(folder / name, online, views))
                for name, online in kinds.items()
            }
            agree(calls)
            for name, times in measure(calls, lookups).items():
                p50, p99 = np.percentile(times, [50, 99])
                medians[name][views] = p50
                print(f"{name:<14} {views:>2} views  p50 {p50:7.3f} ms  p99 {p99:7.3f} ms")
                if name == "sqlite" and views == 5:
                    bars.append(bar("SQLite, 5 views, p50", p50, "ms", "<= 0.5", p50 <= 0.5))
                    bars.append(bar("SQLite, 5 views, p99", p99, "ms", "<= 3", p99 <= 3))
        for name in [name for name in ("sqlite", "redis") if name in medians]:
            growth = medians[name][20] / medians[name][5] / 4
            what = f"{name}, growth from 5 to 20 views over linear"
            bars.append(bar(what, growth, "x", "<= 1", growth <= 1))
    print(json.dumps({"benchmark": "online features", "bars": bars}))


if __name__ == "__main__":
    main()
