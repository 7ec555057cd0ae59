"""A loop of classes that reads texts turns as any other: served, watched, trained again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pandas as pd
import pytest
from rollouts import ROOT

from driftloop_contracts import event_types as types

pytestmark = pytest.mark.slow


def test_a_new_topic_is_noticed_and_learnt(turn: Callable) -> None:
    folder = ROOT / "tests" / "classes" / "usecases"
    environ = {"DRIFTLOOP_USECASES": str(folder), "DRIFTLOOP_HOME": str(ROOT)}
    turned = turn(usecase="tickets", environ=environ)
    assert turned.code == 0, turned.stderr
    summary = turned.summary
    start = datetime.fromisoformat("2026-03-17T00:00:00+00:00")
    found = [event for event in turned.events if event["type"] == types.DRIFT_DETECTED]
    assert found, "the new topic is drift"
    assert all(datetime.fromisoformat(event["time"]) > start for event in found)
    shifted = {shift["name"] for event in found for shift in event["data"]["shifts"]}
    assert {"message_topic", "message_unknown"} & shifted
    assert len(summary["promotions"]) >= 2
    losses = {name: one["log_loss"] for name, one in summary["comparison"].items()
              if isinstance(one, dict) and "log_loss" in one}  # fmt: skip
    assert losses["driftloop"] < losses["never_retrained"]
    first = summary["kpi"][0]
    assert 0 < first["decided_right"] <= first["decided"] <= first["impressions"]
    served = pd.read_parquet(turned.out / "predictions.parquet")
    assert {*served["predicted_class"]} == {"hr", "accounting", "it"}
    assert summary["inference_records"] == summary["predictions"]
