"""Training on more rows than the memory holds: the whole DAG within a set memory.

    python benchmarks/out_of_core.py [ROWS] [--memory 1900MiB] [--folder FOLDER]

Writes ROWS (10,000,000) synthetic impressions as a loop's archive, day by day, and runs every step
of the training pipeline on it, each in a process of its own. Prints the peak memory and the seconds
of each, the log loss beside that of a fit in memory on a tenth of the rows, and last one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
DAYS, LEVELS, ADS, SITES, QUERIES = 50, 100_000, 50_000, 2000, 20_000
FIRST = pd.Timestamp("2026-01-01T00:00:00Z")
DAY = pd.Timedelta(days=1)
CUTOFF = FIRST + (DAYS + 2) * DAY
MOST_MB = 2000
NAME = "wide-clicks"
STEPS = ("ingest", "validate", "build_features", "train", "evaluate", "package", "gate")
LOOP = """
apiVersion: driftloop.io/v1alpha1
kind: LearningLoop
metadata: {{name: wide-clicks}}
spec:
  charter: {{summary: Clicks on more ads than a table holds., owner: benchmarks}}
  objective:
    name: ctr
    label: clicked
    metric: log_loss
    direction: minimize
    kpi: {{name: information_gain, formula: 1 - log_loss / base_entropy, unit: ratio}}
  data:
    sources: [{{name: synthetic, warmUp: 28d}}]
    labelMaturity: 1d
    freshness: 3d
    maxRejected: 1%
  features:
    service: wide_clicks_v1
    entities: [query_id]
    columns:
      - {{name: term, kind: categorical, origin: request}}
      - {{name: ad, kind: categorical, origin: request}}
      - {{name: site, kind: categorical, origin: request}}
      - {{name: position, kind: categorical, origin: request}}
      - {{name: device, kind: categorical, origin: request}}
      - {{name: hour, kind: categorical, origin: request}}
      - {{name: relevance, kind: numeric, origin: request, range: [-8, 8], maxMissing: 10%}}
      - {{name: price, kind: numeric, origin: request, range: [0, null], maxMissing: 2%}}
      - {{name: query_ctr_7d, kind: numeric, origin: query_stats, maxMissing: 100%}}
      - {{name: query_ctr_28d, kind: numeric, origin: query_stats, maxMissing: 100%}}
  training:
    window: 90d
    halfLife: 45d
    holdout: 20%
    estimators: [hashed_linear]
    minRows: 500
    {memory}
  gate: {{entity: query_id, margin: 1%, confidence: 95%, resamples: 1000}}
  drift:
    falseAlarms: 1 per 90d
    minEffect: 0.2
    window: {{rows: 200, minDuration: 1d, maxDuration: 7d}}
    reference: {{rows: 5000, days: 28d}}
  retrain:
    collect: 2d
    growth: 5
    maxAge: 60d
    cooldown: 2d
    dailyBudget: 1
    breaker: 3
  rollout: {{mode: direct}}
  business: {{period: 30d}}
"""
MODEL = """
from driftloop.training import hashed


def estimators():
    return {"hashed_linear": lambda loop: hashed.hashed_linear(loop, buckets=1 << 20)}
"""
FEATURES = """
from datetime import timedelta


def feast_objects(loop, paths):
    from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64, Int64

    query = Entity(name="query", join_keys=["query_id"], value_type=ValueType.INT64)
    source = FileSource(
        name="query_stats_source",
        path=paths["query_stats"],
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )
    rates = [Field(name=f"query_ctr_{days}d", dtype=Float64) for days in (7, 28)]
    view = FeatureView(
        name="query_stats",
        entities=[query],
        ttl=timedelta(days=5),
        schema=[Field(name="query_id", dtype=Int64), *rates],
        source=source,
    )
    return [query, view, FeatureService(name=loop.spec.features.service, features=[view])]
"""


def bar(name: str, value: float, unit: str, target: str, met: bool) -> dict[str, Any]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<52} {value:>12.5g} {unit:<8} {target:<28} {'met' if met else 'MISSED'}")
    return {"name": name, "value": value, "unit": unit, "target": target, "met": bool(met)}


def write_usecase(folder: Path, memory: str) -> None:
    """Write the loop and its functions as a use case below ``folder``."""
    own = folder / "wide_clicks"
    own.mkdir(parents=True, exist_ok=True)
    limit = f"memory: {memory}" if memory else ""
    (own / "loop.yaml").write_text(LOOP.format(memory=limit))
    (own / "model.py").write_text(MODEL)
    (own / "features.py").write_text(FEATURES)
    (own / "labels.py").write_text((ROOT / "usecases" / "ads_ctr" / "labels.py").read_text())


def write_archive(store: Path, rows: int, seed: int = 0) -> float:
    """Write the days' requests, outcomes and features; return the best possible log loss."""
    from driftloop.archive import Archive
    from driftloop_contracts.object_store import FileStore

    rng, archive = np.random.default_rng(seed), Archive(FileStore(store), NAME)
    effects = {
        "term": rng.normal(0, 0.7, LEVELS),
        "ad": rng.normal(0, 0.5, ADS),
        "site": rng.normal(0, 0.5, SITES),
        "position": np.array([0.0, -0.4, -0.8, -1.1]),
        "device": np.array([0.0, 0.2, -0.1]),
        "hour": rng.normal(0, 0.1, 24),
    }
    query = rng.normal(0, 0.5, QUERIES)
    lost = 0.0
    for day in range(DAYS):
        count = rows * (day + 1) // DAYS - rows * day // DAYS
        requests, probability = _requests(day, count, effects, query, rng)
        lost -= float(
            (probability * np.log(probability) + (1 - probability) * np.log1p(-probability)).sum()
        )
        known = requests["event_time"] + DAY
        clicked = (rng.random(count) < probability).astype("float64")
        outcomes = requests[["prediction_id", "event_time"]].assign(
            label="clicked", value=clicked, known_time=known, revision=0
        )
        now = FIRST + day * DAY
        archive.put("requests", f"{now:%Y-%m-%d}", requests)
        archive.put("outcomes", f"{now + DAY:%Y-%m-%d}", outcomes)
        archive.put_features("query_stats", now, _features(now, query, rng))
    return lost / rows


def _requests(
    day: int, count: int, effects: dict[str, Any], query: Any, rng: np.random.Generator
) -> tuple[pd.DataFrame, Any]:
    """Return one day's impressions in order of time, and the probability of each one's click."""
    # The cube favours low numbers: a few levels are seen often, most of them seldom.
    codes = {n: (rng.random(count) ** 3 * len(e)).astype("int64") for n, e in effects.items()}
    asked = (rng.random(count) ** 3 * len(query)).astype("int64")
    relevance, price = rng.normal(size=count).clip(-5, 5), rng.gamma(2, 1, count)
    odds = -2.5 + 0.5 * relevance - 0.2 * price + query[asked]
    odds += sum(effect[codes[name]] for name, effect in effects.items())
    micros = np.sort(rng.integers(0, 86_400_000_000, count))
    columns = {
        name: pd.Categorical.from_codes(code, [f"{name}-{n}" for n in range(len(effects[name]))])
        for name, code in codes.items()
    }
    frame = pd.DataFrame(
        {
            "prediction_id": [f"{day}/{n}" for n in range(count)],
            "event_time": FIRST + day * DAY + pd.to_timedelta(micros, unit="us"),
            "weight": 1.0,
            "query_id": asked,
            **{name: column.astype(object) for name, column in columns.items()},
            "relevance": np.where(rng.random(count) < 0.05, np.nan, relevance),
            "price": price,
        }
    )
    return frame, 1 / (1 + np.exp(-odds))


def _features(now: pd.Timestamp, query: Any, rng: np.random.Generator) -> pd.DataFrame:
    """Return the day's rates of all queries, as log-odds that are seen through noise."""
    times = pd.Series(now, range(len(query))).astype("datetime64[us, UTC]")
    return pd.DataFrame(
        {
            "query_id": np.arange(len(query)),
            "event_timestamp": times,
            "query_ctr_7d": query - 2.5 + rng.normal(0, 0.6, len(query)),
            "query_ctr_28d": query - 2.5 + rng.normal(0, 0.3, len(query)),
        }
    )


def run(folder: Path, store: Path, steps: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Run the steps, each in a process; return what each told, its peak in MB and its seconds."""
    found: dict[str, dict[str, Any]] = {}
    state = folder / "state.json"
    state.write_text("{}")
    environment = os.environ | {"DRIFTLOOP_USECASES": str(folder), "TMPDIR": str(folder)}
    for step in steps:
        began = time.monotonic()
        command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
        child = subprocess.Popen([*command, "--store", str(store)], env=environment)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"The step {step} failed.")
        seconds, peak = time.monotonic() - began, used.ru_maxrss / 1000
        found[step] = {"seconds": seconds, "peak_mb": peak}
        print(f"{step:<16} {peak:>8.0f} MB {seconds:>8.1f} s", flush=True)
    return found | {"facts": json.loads(state.read_text())}


def take(step: str, folder: Path, store: Path) -> None:
    """Run one step in this process, as its component does."""
    from driftloop.training import steps

    order = json.dumps({"number": 1, "cutoff": f"{CUTOFF:%Y-%m-%dT%H:%M:%SZ}"})
    path = {name: str(folder / name) for name in ARTIFACTS}
    facts = json.loads((folder / "state.json").read_text())
    models = {name: path[name] for name in ("candidate", "release")}
    own = (NAME, str(store), order)
    if step == "ingest":
        facts[step] = steps.ingest(*own, path["rows"])
    elif step == "validate":
        facts[step] = steps.validate(*own, path["rows"], path["valid"])
    elif step == "build_features":
        facts[step] = steps.build_features(*own, path["valid"], path["joined"])
    elif step == "train":
        facts[step] = steps.train(NAME, order, path["joined"], *models.values())
    elif step == "evaluate":
        found = steps.evaluate(*own, path["joined"], models, facts["train"], path["scored"])
        facts[step] = found
    elif step == "package":
        paths = {name: path[name] for name in ("joined", "release", "scored")}
        facts[step] = steps.package(*own, paths, facts["train"] | facts["evaluate"])
    elif step == TENTH:
        facts[step] = tenth(Path(path["joined"]))
    else:
        facts[step] = steps.gate(*own, path["scored"], facts["package"])
    (folder / "state.json").write_text(json.dumps(facts))


ARTIFACTS = ("rows", "valid", "joined", "candidate", "release", "scored")


TENTH = "tenth"


def tenth(joined: Path) -> dict[str, float]:
    """Fit a tenth of the rows in memory; return the log loss on all held-out rows."""
    from driftloop import batches, usecase
    from driftloop.training import fit, split, streamed

    case, rows = usecase.find(NAME), batches.Rows(joined)
    first, last = rows.span()
    start = split.holdout_start(pd.Series([first, last]), case.loop, None)
    sample = pd.concat([batch.iloc[::10] for batch in rows.read()], ignore_index=True)
    model = fit.fit(case, "hashed_linear", sample[sample["event_time"] < start])
    return {"rows": len(sample), "log_loss": streamed.score(case, model, rows, start)}


def main() -> None:
    """Run the benchmark, or one of its steps."""
    asked = argparse.ArgumentParser()
    asked.add_argument("rows", type=int, nargs="?", default=10_000_000)
    asked.add_argument("--memory", default="1900MiB")
    asked.add_argument("--folder", type=Path)
    asked.add_argument("--store", type=Path)
    asked.add_argument("--step", choices=(*STEPS, TENTH))
    given = asked.parse_args()
    if given.step:
        take(given.step, given.folder, given.store)
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        folder = Path(scratch)
        began = time.monotonic()
        best = write_archive(folder / "store", given.rows)
        print(f"{given.rows} rows written in {time.monotonic() - began:.0f} s", flush=True)
        write_usecase(folder, given.memory)
        bars = told(run(folder, folder / "store", (*STEPS, TENTH)), best)
    print(json.dumps({"benchmark": "out_of_core", "bars": bars}))


def told(found: dict[str, dict[str, Any]], best: float) -> list[dict[str, Any]]:
    """Print and return the bars; ``best``: the log loss of the true probabilities."""
    peak = max(found[step]["peak_mb"] for step in STEPS)
    wall = sum(found[step]["seconds"] for step in STEPS)
    metrics = found["facts"]["evaluate"]["metrics"]
    loss, base = metrics["candidate_loss"], metrics["base_entropy"]
    less, memory = found["facts"][TENTH], found[TENTH]["peak_mb"]
    print(f"log loss {loss:.5f}; of the rate alone {base:.5f}; of the truth {best:.5f}")
    print(f"in memory on {less['rows']} rows: log loss {less['log_loss']:.5f}, {memory:.0f} MB")
    gain = 1 - loss / less["log_loss"]
    return [
        bar("peak of any step", peak, "MB", f"<= {MOST_MB}", peak <= MOST_MB),
        bar("gain over a tenth in memory", gain, "share", "> 0", gain > 0),
        bar("all steps", wall, "s", "told", True),
    ]


if __name__ == "__main__":
    main()
