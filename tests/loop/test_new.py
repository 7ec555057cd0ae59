"""What `driftloop new` writes runs as it is, and its drift is found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from rollouts import ROOT

from driftloop.scaffold import writing
from driftloop_contracts import event_types as types

pytestmark = pytest.mark.slow


def test_it_runs_at_once_and_notices_the_new_channel(turn: Callable, tmp_path: Path) -> None:
    writing.write("first-steps", tmp_path)
    environ = {"DRIFTLOOP_USECASES": str(tmp_path), "DRIFTLOOP_HOME": str(ROOT)}
    turned = turn("--to", "2026-02-04", "--no-compare", usecase="first_steps", environ=environ)
    assert turned.code == 0, turned.stderr
    start = datetime.fromisoformat("2026-01-29T00:00:00+00:00")
    found = [event for event in turned.events if event["type"] == types.DRIFT_DETECTED]
    assert found, "the new channel is drift"
    assert all(datetime.fromisoformat(event["time"]) > start for event in found)
    assert len(turned.summary["promotions"]) >= 2
    assert (turned.out / "report.html").stat().st_size > 10_000
