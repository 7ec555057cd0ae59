"""A candidate takes over in steps: two pairs of processes behind the router, and no call lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from driftloop_contracts import event_types as types

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
POLICY = "{mode: canary, steps: [25%, 50%], hold: 5h, patience: 4d, requests: 5}"


@pytest.fixture(scope="module")
def turned(turn: Callable, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six weeks in which the season changes."""
    folder = tmp_path_factory.mktemp("canary")
    shutil.copytree(ROOT / "usecases" / "ads_ctr", folder / "ads_ctr")
    loop = folder / "ads_ctr" / "loop.yaml"
    content = loop.read_text()
    assert "rollout: {mode: direct}" in content
    loop.write_text(content.replace("rollout: {mode: direct}", f"rollout: {POLICY}"))
    environ = {"DRIFTLOOP_USECASES": str(folder), "DRIFTLOOP_HOME": str(ROOT)}
    span = ("--from", "2026-01-12", "--to", "2026-02-22", "--no-compare")
    return turn(*span, environ=environ)


def told(turned: Any, kind: str) -> list[dict]:
    return [event["data"] for event in turned.events if event["type"] == kind]


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
    assert 0.6 < shared.iloc[0] < 0.75, "six hours each with a quarter, a half, all and all"
    assert by_day.iloc[-1] == 1


def test_what_is_logged_names_the_bundle_that_answered(turned: Any) -> None:
    assert turned.summary["inference_records"] == turned.summary["predictions"]
    parity = turned.summary["parity"]
    assert (parity["differing"], parity["values"] > 100_000) == (0, True)
