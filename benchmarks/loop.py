"""The loop's figures: the real year, the simulator over seeds, and the training pipeline.

    python benchmarks/loop.py real DATA        the real year end to end
    python benchmarks/loop.py simulator [N]    seeds 1..N (20)
    python benchmarks/loop.py pipeline DATA    the training DAG on 30 days, from process start

Each prints a table and last one JSON line with its bars.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from scipy import stats

ROOT = Path(__file__).parents[1]
BUDGET_DAYS = 90
"""loop.yaml's drift.falseAlarms: 1 per 90d."""


def turn(out: Path, *options: str) -> dict[str, Any]:
    """Run the command and return its summary."""
    command = [sys.executable, "-m", "driftloop.cli", "run", "ads_ctr", "--out", str(out), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads((out / "summary.json").read_text())


def bar(name: str, value: float, unit: str, target: str, met: bool) -> dict[str, Any]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<52} {value:>12.5g} {unit:<8} {target:<28} {'met' if met else 'MISSED'}")
    return {"name": name, "value": value, "unit": unit, "target": target, "met": bool(met)}


def real(folder: Path, data: str) -> list[dict[str, Any]]:
    """Run the real year."""
    found = turn(folder / "real", "--data", data)
    policies = found["comparison"]
    for name in ("never_retrained", "driftloop", "calendar", "retrained_daily"):
        print(
            f"{name:<20} log loss {policies[name]['log_loss']:.5f}  fits {policies[name]['fits']}"
        )
    print(f"comparison policies took {found['comparison_seconds']} s, timed apart")
    loss, fits = policies["driftloop"]["log_loss"], policies["driftloop"]["fits"]
    gap = policies["difference_to_calendar"]
    print(f"driftloop - calendar {gap['estimate']:+.6f} [{gap['low']:+.6f}, {gap['high']:+.6f}]")
    wall, memory = found["wall_seconds"], found["peak_rss_mb"]
    return [
        bar("real year, end to end", wall, "s", "<= 300", wall <= 300),
        bar("real year, all processes", memory, "MB", "<= 4000", memory <= 4000),
        bar("real year, log loss", loss, "nats", "<= 0.0917", loss <= 0.0917),
        bar("real year, fits", fits, "", "<= 27", fits <= 27),
        bar("driftloop - calendar, low", gap["low"], "nats", "<= 0", gap["low"] <= 0),
    ]


def simulator(folder: Path, seeds: int) -> list[dict[str, Any]]:
    """Run every seed and sum up."""
    runs = [_seed(folder, seed) for seed in range(1, seeds + 1)]
    changes = [c for run in runs for c in run["changes"]]
    found = sum(c["detected"] for c in changes) / len(changes)
    quiet, alarms = (sum(run[key] for run in runs) for key in ("quiet_days", "false_alarms"))
    bound = stats.poisson.ppf(0.95, quiet / BUDGET_DAYS)
    wall = max(run["wall_seconds"] for run in runs)
    gain = min(run["comparison"]["gain_captured"] for run in runs)
    policies = [run["comparison"] for run in runs]
    share = max(p["driftloop"]["fits"] / p["retrained_daily"]["fits"] for p in policies)
    bad = sum(run["trained_on_fault"] for run in runs)
    return [
        bar("changes found", found, "share", ">= 0.95", found >= 0.95),
        bar(
            "false drift events",
            alarms,
            "",
            f"<= {bound:.0f} in {quiet} quiet days",
            alarms <= bound,
        ),
        bar("slowest run", wall, "s", "<= 120", wall <= 120),
        bar("least gain captured", gain, "share", ">= 0.75", gain >= 0.75),
        bar("largest share of daily's fits", share, "share", "<= 0.1", share <= 0.1),
        bar("models trained on the broken feature", bad, "", "0", bad == 0),
    ]


def _seed(folder: Path, seed: int) -> dict[str, Any]:
    found = turn(folder / f"seed-{seed}", "--seed", str(seed))
    gain = found["comparison"]["gain_captured"]
    fits = found["comparison"]["driftloop"]["fits"]
    print(
        f"seed {seed}: {found['wall_seconds']} s, gain {gain:.3f}, {fits} fits, "
        f"{found['drift_events']} drift events, {found['false_alarms']} false"
    )
    for change in found["changes"]:
        rows, seconds = change["rows_to_detection"], change["seconds_to_detection"]
        promoted = change["rows_to_promotion"], change["seconds_to_promotion"]
        print(f"  {change['name']:<16} found after {rows} rows, {seconds} s; promoted {promoted}")
    return found


def pipeline(folder: Path, data: str) -> list[dict[str, Any]]:
    """Time the training DAG on 30 days, and what each step spends on imports."""
    options = ("--data", data, "--from", "2012-04-01", "--to", "2012-05-15", "--no-compare")
    turn(folder / "prepared", *options)
    store, log = folder / "prepared" / "store", folder / "pipeline.log"
    order = json.dumps({"number": 99, "cutoff": "2012-05-01T00:00:00Z"})
    package = str(ROOT / "pipelines" / "compiled" / "training.yaml")
    parameters = {"loop": "ads-ctr", "store": str(store), "order": order}
    arguments = [package, str(folder / "root"), json.dumps(parameters)]
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        with log.open("wb") as errors:
            command = [sys.executable, "-m", "driftloop.adapters.local_pipeline", *arguments]
            subprocess.run(command, cwd=ROOT, env=_environment(), stderr=errors, check=True)
        seconds.append(time.monotonic() - began)
    for step, modules in STEP_IMPORTS.items():
        print(f"{step:<16} imports {_import_seconds(modules):.2f} s ({', '.join(modules)})")
    median = sorted(seconds)[1]
    return [bar("training DAG on 30 days, median of 3", median, "s", "<= 25", median <= 25)]


STEP_IMPORTS = {
    "ingest": ["kfp.dsl", "driftloop.training.steps"],
    "validate": ["kfp.dsl", "driftloop.training.steps"],
    "build_features": [
        "kfp.dsl",
        "driftloop.training.steps",
        "driftloop.adapters.feast_repository",
    ],
    "train": ["kfp.dsl", "driftloop.training.steps", "sklearn.ensemble", "skops.io"],
    "evaluate": ["kfp.dsl", "driftloop.training.steps", "sklearn.ensemble", "skops.io"],
    "package": ["kfp.dsl", "driftloop.training.steps", "driftloop.drift.calibration"],
    "gate": ["kfp.dsl", "driftloop.training.steps", "driftloop.evaluation.gate"],
}


def _environment() -> dict[str, str]:
    from driftloop import usecase
    from driftloop.laptop import environment

    case = usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
    own = environment.for_children(case, "", {"PATH": "/usr/bin:/bin"})
    return {name: value for name, value in own.items() if name != "DRIFTLOOP_SUPERVISED"}


def _import_seconds(modules: list[str]) -> float:
    began = time.monotonic()
    command = [sys.executable, "-c", f"import {', '.join(modules)}"]
    subprocess.run(command, cwd=ROOT, env=_environment(), check=True)
    return time.monotonic() - began


def main(arguments: list[str]) -> None:
    """Run the benchmark that ``arguments`` name."""
    which, *rest = arguments or ["simulator"]
    with tempfile.TemporaryDirectory() as folder:
        if which == "simulator":
            bars = simulator(Path(folder), int(rest[0]) if rest else 20)
        else:
            bars = {"real": real, "pipeline": pipeline}[which](
                Path(folder), str(Path(rest[0]).absolute())
            )
    assert all(math.isfinite(b["value"]) for b in bars)
    print(json.dumps({"benchmark": f"loop {which}", "bars": bars}))


if __name__ == "__main__":
    main(sys.argv[1:])
