"""A candidate takes over in steps: two pairs of processes behind the router, and no call lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from rollouts import rolling_out, told

from driftloop_contracts import event_types as types

pytestmark = pytest.mark.slow

POLICY = "{mode: canary, steps: [25%, 50%], hold: 5h, patience: 4d, requests: 5}"
SPAN = ("--from", "2026-01-12", "--to", "2026-02-22", "--no-compare")


@pytest.fixture(scope="module")
def turned(turn: Callable, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six weeks in which the season changes."""
    return turn(*SPAN, environ=rolling_out(tmp_path_factory.mktemp("canary"), POLICY))


def test_each_step_comes_before_the_promotion(turned: Any) -> None:
    assert turned.code == 0, turned.stderr
    first, second = turned.summary["promotions"]
    shares = [(one["version"], one["share"]) for one in told(turned, types.ROLLOUT_SHIFTED)]
    assert shares == [(second["version"], 0.25), (second["version"], 0.5)]
    assert told(turned, types.ROLLOUT_WITHDRAWN) == []
    assert first["version"] != second["version"]


def test_entities_keep_their_bundle_and_every_row_is_answered_once(turned: Any) -> None:
    found = pd.read_parquet(turned.out / "predictions.parquet")
    assert found["row_id"].is_unique
    assert len(found) == turned.summary["predictions"] == 28_000
    second = turned.summary["promotions"][1]["version"]
    by_day = (found["version"] == second).groupby(found["event_time"].dt.date).mean()
    shared = by_day[(by_day > 0) & (by_day < 1)]
    assert len(shared) >= 1
    assert 0.4 < shared.iloc[0] < 0.6, "twelve hours with a quarter, six each with a half and all"
    assert by_day.iloc[-1] == 1


def test_what_is_logged_names_the_bundle_that_answered(turned: Any) -> None:
    assert turned.summary["inference_records"] == turned.summary["predictions"]
    parity = turned.summary["parity"]
    assert (parity["differing"], parity["values"] > 100_000) == (0, True)


def test_a_candidate_that_is_killed_costs_no_answer_and_goes_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "driftloop.cli", "run", "ads_ctr", *SPAN, "--out", str(out)]
    with subprocess.Popen(
        command,
        env=os.environ | rolling_out(tmp_path / "usecases", POLICY) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if " rollout " in line:
                (own,) = _predictors(out, "predictor-2")
                os.kill(own, signal.SIGKILL)
                break
        rest = run.stdout.read()
    assert run.returncode == 0, rest
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    (back,) = [e["data"] for e in events if e["type"] == types.ROLLOUT_WITHDRAWN]
    assert "None of its processes answered" in back["why"]
    found = pd.read_parquet(out / "predictions.parquet")
    assert len(found) == 28_000
    assert found["probability"].between(0, 1).all()
    assert json.loads((out / "summary.json").read_text())["rollbacks"] == 1


def _predictors(out: Path, name: str) -> list[int]:
    """Return the processes of a run whose scratch folder has this name."""
    wanted = f"{out}/scratch/{name}"
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("DRIFTLOOP_SCRATCH") == wanted:
                found.append(process.pid)
    return found
