"""A candidate that nobody sees is judged by the gate once more, on what was answered meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from rollouts import rolling_out, told

from driftloop_contracts import event_types as types

pytestmark = pytest.mark.slow

POLICY = "{mode: shadow, hold: 1d, patience: 20d, requests: 1000}"
SPAN = ("--from", "2026-01-12", "--to", "2026-02-22", "--no-compare")


@pytest.fixture(scope="module")
def turned(turn: Callable, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six weeks in which the season changes."""
    return turn(*SPAN, environ=rolling_out(tmp_path_factory.mktemp("shadow"), POLICY))


def test_nobody_is_answered_by_a_candidate_before_its_promotion(turned: Any) -> None:
    assert turned.code == 0, turned.stderr
    assert told(turned, types.ROLLOUT_SHIFTED) == []
    first, second = turned.summary["promotions"]
    found = pd.read_parquet(turned.out / "predictions.parquet")
    assert len(found) == turned.summary["predictions"] == 28_000
    by_day = (found["version"] == second["version"]).groupby(found["event_time"].dt.date).mean()
    assert set(by_day.unique()) == {0.0, 1.0}, "all of a day or nothing of it"
    assert first["version"] != second["version"]


def test_it_is_promoted_days_after_it_passed_the_gate(turned: Any) -> None:
    ended = [e for e in turned.events if e["type"] == types.RETRAINING_ENDED][1]
    promoted = [e for e in turned.events if e["type"] == types.ROLLOUT_PROMOTED][1]
    assert ended["data"]["version"] == promoted["data"]["version"]
    version = promoted["data"]["version"]
    judged = [one for one in told(turned, types.SHADOW_JUDGED) if one["version"] == version]
    assert judged[-1]["verdict"] == "promote"
    assert [one["step"] for one in judged] == list(range(len(judged)))
    waited = pd.Timestamp(promoted["time"]) - pd.Timestamp(ended["time"])
    assert waited >= pd.Timedelta(days=2), "its labels take two days"
    assert turned.summary["parity"]["differing"] == 0
