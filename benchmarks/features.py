"""The features' figures: point-in-time joins beside Feast's own stores and a plan by hand.

    python benchmarks/features.py offline [ENTITY_ROWS FEATURE_ROWS]    200000 1000000 by default
    python benchmarks/features.py large [SHARE ...]                     0.01 0.1 1 by default

``offline``: 3 views of 4 features, on the same files and the same entity frame, all with the
created-timestamp cut-off; every value is compared. ``large``: shares of 5,000,000 entity rows on
50,000,000 feature rows in each of 3 views, spilled to disk. Each measurement is a process of its
own, so that its memory is its own. Prints a table and last one JSON line with its bars.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

VIEWS, FEATURES = 3, 4
START, DAYS, TTL = datetime(2026, 1, 1, tzinfo=UTC), 100, timedelta(days=30)
ROWS_PER_KEY = 100
ASOF = "driftloop.adapters.feast_asof.AsofOfflineStore"
MEMORY = "5GB"
"""What DuckDB may hold of the 8 GB that the large join may take; the rest is Python's frames."""
STORES: dict[str, dict[str, Any]] = {
    "asof": {"type": ASOF, "created_cutoff": True},
    "duckdb": {"type": "duckdb"},
    "dask": {"type": "dask"},
    "large": {"type": ASOF, "created_cutoff": True, "memory_limit": MEMORY},
}
REPEATS = {"asof": 5, "by_hand": 5, "duckdb": 3}


def generate(folder: Path, entity_rows: int, feature_rows: int) -> None:
    """Write entities.parquet and each view's files; no two feature rows of a key share a time."""
    rng = np.random.default_rng(1)
    keys = max(1, feature_rows // ROWS_PER_KEY)
    span = DAYS * 86_400_000_000
    instants = pd.Timestamp(START).value // 1000 + rng.integers(0, span, entity_rows)
    entities = {
        "row": pa.array(np.arange(entity_rows)),
        "key": pa.array(rng.integers(0, keys, entity_rows)),
        "event_timestamp": pa.array(instants).cast(pa.timestamp("us", "UTC")),
    }
    pq.write_table(pa.table(entities), folder / "entities.parquet")
    part = min(feature_rows, 5_000_000)
    for view in range(VIEWS):
        (folder / f"view{view}").mkdir()
        for number, first in enumerate(range(0, feature_rows, part)):
            table = _features(rng, view, keys, first, min(part, feature_rows - first), span)
            pq.write_table(table, folder / f"view{view}" / f"{number}.parquet")


def _features(
    rng: np.random.Generator, view: int, keys: int, first: int, rows: int, span: int
) -> pa.Table:
    """Return rows that were written some hours after their event, one in ten days later."""
    number = np.arange(first, first + rows)
    # Distinct remainders keep any two rows of a key apart by at least a microsecond.
    event = rng.integers(0, span // ROWS_PER_KEY, rows) * ROWS_PER_KEY + number // keys
    event += pd.Timestamp(START).value // 1000
    late = rng.exponential(3.6e9 * np.where(rng.random(rows) < 0.1, 72, 2), rows).astype("int64")
    columns = {
        "key": pa.array(number % keys),
        "event": pa.array(event).cast(pa.timestamp("us", "UTC")),
        "created": pa.array(event + late).cast(pa.timestamp("us", "UTC")),
    }
    columns |= {f"f{view}_{n}": pa.array(rng.random(rows)) for n in range(FEATURES)}
    return pa.table(columns)


def by_feast(folder: Path, store: str) -> pa.Table:
    """Return the join by one of Feast's stores."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
    from feast.types import Float64
    from feast.value_type import ValueType

    scratch = Path(tempfile.mkdtemp(dir=folder))
    offline = STORES[store] | ({"temp_directory": str(scratch)} if store == "large" else {})
    config = RepoConfig(
        project="benchmark",
        provider="local",
        registry=str(scratch / "registry.db"),
        offline_store=offline,
        online_store={"type": "sqlite", "path": str(scratch / "online.db")},
        entity_key_serialization_version=3,
    )
    feast, key = (
        FeatureStore(config=config),
        Entity(name="key", join_keys=["key"], value_type=ValueType.INT64),
    )
    views = [
        FeatureView(
            name=f"view{n}",
            entities=[key],
            ttl=TTL,
            schema=[Field(name=f"f{n}_{f}", dtype=Float64) for f in range(FEATURES)],
            source=FileSource(
                name=f"source{n}",
                path=str(folder / f"view{n}" / "*.parquet"),
                timestamp_field="event",
                created_timestamp_column="created",
            ),
        )
        for n in range(VIEWS)
    ]
    feast.apply([key, *views])
    frame = pd.read_parquet(folder / "entities.parquet")
    references = [f"view{n}:f{n}_{f}" for n in range(VIEWS) for f in range(FEATURES)]
    began = time.perf_counter()
    job = feast.get_historical_features(frame, references, filter_by_created_timestamp=True)
    table = job.to_arrow()
    say(time.perf_counter() - began)
    return table


def by_hand(folder: Path, _: str) -> pa.Table:
    """Return the join by the same plan in SQL, as one who knows these files would write it."""
    import duckdb

    entities = pq.read_table(folder / "entities.parquet")
    known = "greatest(event, created)"
    joins = " ".join(
        f"""
        ASOF LEFT JOIN (
            SELECT *, {known} AS known FROM read_parquet('{folder}/view{n}/*.parquet')
            WINDOW w AS (PARTITION BY key ORDER BY {known}, event, created)
            QUALIFY lead({known}) OVER w IS DISTINCT FROM {known} AND event >= max(event) OVER w
        ) v{n} ON e.key = v{n}.key AND e.event_timestamp >= v{n}.known"""
        for n in range(VIEWS)
    )
    columns = ", ".join(
        f"CASE WHEN e.event_timestamp - v{n}.event <= INTERVAL {TTL.days} DAY "
        f"THEN f{n}_{f} END AS f{n}_{f}"
        for n in range(VIEWS)
        for f in range(FEATURES)
    )
    connection = duckdb.connect()
    connection.register("entities", entities)
    began = time.perf_counter()
    query = f"SELECT e.row, e.key, event_timestamp, {columns} FROM entities e {joins} ORDER BY row"
    table = connection.sql(query).to_arrow_table()
    say(time.perf_counter() - began)
    return table


def say(seconds: float) -> None:
    """Tell the parent what was measured."""
    print(json.dumps({"seconds": seconds}), flush=True)


def measure(folder: Path, plan: str) -> tuple[float, float]:
    """Run ``plan`` in a process of its own; return its seconds and its peak memory in MB."""
    command = [sys.executable, __file__, "--one", str(folder), plan]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return found[0]["seconds"], found[-1]["memory"]


def one(folder: Path, plan: str) -> None:
    """Measure in this process and leave the result beside the files."""
    warnings.simplefilter("ignore")
    table = by_hand(folder, plan) if plan == "by_hand" else by_feast(folder, plan)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if plan != "large":
        pq.write_table(table, folder / f"{plan}.result")
    rows = pq.read_metadata(folder / "entities.parquet").num_rows
    assert plan == "dask" or table.num_rows == rows, f"{plan}: {table.num_rows} rows of {rows}"
    print(json.dumps({"memory": memory}))


def result(folder: Path, plan: str) -> pd.DataFrame:
    """Return a plan's features by the number of the entity row."""
    names = [f"f{n}_{f}" for n in range(VIEWS) for f in range(FEATURES)]
    frame = pd.read_parquet(folder / f"{plan}.result", columns=["row", *names])
    return frame.set_index("row").sort_index()


def offline(folder: Path, entity_rows: int, feature_rows: int) -> list[dict[str, Any]]:
    """Time all plans on the same files, in turns, and compare their values."""
    generate(folder, entity_rows, feature_rows)
    seconds: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    for turn in range(max(REPEATS.values())):
        for plan in ("asof", "by_hand", "duckdb", "dask"):
            if turn < REPEATS.get(plan, 1):
                took, peak = measure(folder, plan)
                seconds.setdefault(plan, []).append(took)
                memory[plan] = max(peak, memory.get(plan, 0))
    median = {plan: statistics.median(times) for plan, times in seconds.items()}
    for plan, times in seconds.items():
        span = f"{min(times):.2f}..{max(times):.2f}"
        print(f"{plan:<8} {median[plan]:>8.2f} s ({span}, {len(times)} runs) {memory[plan]:.0f} MB")
    ours = result(folder, "asof")
    print(f"values present: {ours.notna().to_numpy().mean():.1%} of {ours.size}")
    for plan in ("by_hand", "duckdb"):
        pd.testing.assert_frame_equal(ours, result(folder, plan), check_exact=True)
    theirs = result(folder, "dask")
    kept = theirs[~theirs.index.duplicated()]
    print(f"dask returned {len(theirs)} of {len(ours)} rows")
    pd.testing.assert_frame_equal(ours.loc[kept.index], kept, check_exact=True)
    ratio = {plan: median[plan] / median["asof"] for plan in median}
    hand = median["asof"] / median["by_hand"]
    return [
        bar("Feast's DuckDB store over ours", ratio["duckdb"], "x", ">= 5", ratio["duckdb"] >= 5),
        bar("Feast's default store over ours", ratio["dask"], "x", ">= 50", ratio["dask"] >= 50),
        bar("ours over the plan by hand", hand, "x", "<= 1.5", hand <= 1.5),
    ]


def large(folder: Path, shares: list[float]) -> list[dict[str, Any]]:
    """Time shares of the large join; its growth is held against n log n."""
    found: list[tuple[int, float, float]] = []
    for share in sorted(shares):
        part = folder / f"share{share}"
        part.mkdir()
        rows = int(50_000_000 * share)
        generate(part, rows // 10, rows)
        took, peak = measure(part, "large")
        found.append((rows, took, peak))
        print(f"{rows // 10:>9} x {rows:>9} x {VIEWS}: {took:8.1f} s {peak:7.0f} MB", flush=True)
        subprocess.run(["rm", "-r", part], check=True)
    (few, quick, _), (many, slow, peak) = found[-2], found[-1]
    growth = slow / quick / (many * math.log(many) / (few * math.log(few)))
    return [
        bar("growth over the last step, over n log n", growth, "x", "<= 1", growth <= 1),
        bar("memory of the largest join", peak, "MB", "<= 8192", peak <= 8192),
    ]


def bar(name: str, value: float, unit: str, target: str, met: bool) -> dict[str, Any]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<52} {value:>12.5g} {unit:<8} {target:<28} {'met' if met else 'MISSED'}")
    return {"name": name, "value": value, "unit": unit, "target": target, "met": bool(met)}


def main() -> None:
    """Run what the arguments name."""
    what, *rest = sys.argv[1:] or ["offline"]
    if what == "--one":
        return one(Path(rest[0]), rest[1])
    # Files of gigabytes do not belong where /tmp may be memory.
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        folder = Path(scratch)
        if what == "offline":
            bars = offline(folder, *map(int, rest or ["200000", "1000000"]))
        elif what == "large":
            bars = large(folder, [float(share) for share in rest or ["0.01", "0.1", "1"]])
        else:
            raise SystemExit(__doc__)
    print(json.dumps({"benchmark": f"features {what}", "bars": bars}))
    return None


if __name__ == "__main__":
    main()
