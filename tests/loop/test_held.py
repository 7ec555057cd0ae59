"""What the gate held for want of rows goes into service on those that come later, by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from rollouts import changed, told

from driftloop_contracts import event_types as types

pytestmark = pytest.mark.slow

SLICES = "resamples: 1000\n    slices: {columns: [device], search: false, margin: 30%}"
SPAN = ("--from", "2026-01-12", "--to", "2026-02-22", "--no-compare")


@pytest.fixture(scope="module")
def turned(turn: Callable, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Six weeks in which the season changes, and no device may be harmed."""
    texts = {"resamples: 1000": SLICES, "cooldown: 2d": "cooldown: 6d"}
    environ = changed(tmp_path_factory.mktemp("held"), texts)
    return turn(*SPAN, environ=environ)


def test_a_hold_is_no_end(turned: Any) -> None:
    assert turned.code == 0, turned.stderr
    (held, *_) = [one for one in told(turned, types.RETRAINING_ENDED) if one["verdict"] == "hold"]
    judged = [one for one in told(turned, types.SHADOW_JUDGED) if one["version"] == held["version"]]
    assert [one["step"] for one in judged] == list(range(len(judged)))
    assert judged[-1]["verdict"] == "promote"
    assert held["version"] in [one["version"] for one in turned.summary["promotions"]]


def test_the_first_that_was_held_is_the_first_to_be_told(turned: Any) -> None:
    ended = [e for e in turned.events if e["type"] == types.RETRAINING_ENDED]
    (first, *_) = [e for e in ended if e["data"]["verdict"] == "hold"]
    version = first["data"]["version"]
    (promoted,) = [
        e
        for e in turned.events
        if e["type"] == types.ROLLOUT_PROMOTED and e["data"]["version"] == version
    ]
    waited = pd.Timestamp(promoted["time"]) - pd.Timestamp(first["time"])
    assert waited >= pd.Timedelta(days=1)
    assert version == min(e["data"]["version"] for e in ended if e["data"]["verdict"] == "hold")
    assert turned.summary["parity"]["differing"] == 0


def test_a_person_who_watches_is_told_both_times(turned: Any) -> None:
    lines = [line for line in turned.stdout.splitlines() if "  gate  " in line]
    first = next(n for n, line in enumerate(lines) if ": hold. " in line)
    assert any(", on later rows: promote. " in line for line in lines[first + 1 :])
