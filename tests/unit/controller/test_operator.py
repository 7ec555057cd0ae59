"""Rounds over everything: one object's trouble keeps no other waiting."""

from __future__ import annotations

from typing import Any

import pytest

from driftloop.adapters.unavailable import Unavailable
from driftloop.services.controller import cluster_loop, operator
from driftloop.services.controller.cluster import Cluster


def named(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "namespace": "ads"}}


class Objects:
    """Lists two events and two loops, or is away for one kind."""

    def __init__(self, away: str = "") -> None:
        self.away = away

    def list(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        if kind == self.away:
            raise Unavailable(kind)
        return [named(kind, "one"), named(kind, "two")]


@pytest.mark.parametrize("trouble", [Unavailable("away"), KeyError("spec"), ZeroDivisionError()])
def test_one_objects_trouble_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    seen: list[str] = []

    def act(cluster: Cluster, found: dict[str, Any], now: Any) -> None:
        seen.append(f"{found['kind']} {found['metadata']['name']}")
        if found["metadata"]["name"] == "one":
            raise trouble

    monkeypatch.setattr(cluster_loop, "take", act)
    monkeypatch.setattr(operator, "_turn", act)
    operator.go_round(Cluster(Objects(), None, None, None), ["ads"])
    assert seen == ["LoopEvent one", "LoopEvent two", "LearningLoop one", "LearningLoop two"]


def test_loops_are_turned_while_events_cannot_be_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    turned: list[str] = []
    monkeypatch.setattr(
        operator, "_turn", lambda cluster, found, now: turned.append(found["metadata"]["name"])
    )
    operator.go_round(Cluster(Objects(away="LoopEvent"), None, None, None), ["ads"])
    assert turned == ["one", "two"]


@pytest.mark.parametrize(("away", "failures"), [("", 0), ("LoopEvent", 2)])
def test_a_round_that_saw_everything_is_counted(
    monkeypatch: pytest.MonkeyPatch, away: str, failures: int
) -> None:
    monkeypatch.setattr(cluster_loop, "take", lambda *_: None)
    monkeypatch.setattr(operator, "_turn", lambda *_: None)
    cluster = Cluster(Objects(away=away), None, None, None)

    def value(name: str, **labels: str) -> float:
        # KServe, where a test imported it, makes figures outlive their registry.
        return (
            cluster.metrics.registry.get_sample_value(f"driftloop_controller_{name}", labels) or 0
        )

    cluster.metrics.failed("LoopEvent")
    last, failed = "last_round_timestamp_seconds", {"kind": "LoopEvent"}
    before, failed_before = value(last), value("failures_total", **failed)
    operator.go_round(cluster, ["ads", "routing"])
    assert (value(last) > before) is (away == "")
    assert value("failures_total", **failed) - failed_before == failures
    if not away:
        assert value("loops", stage="New") == 4
