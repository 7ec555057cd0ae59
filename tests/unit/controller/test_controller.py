"""The controller: every effect once, whatever is doubled, reordered, late or killed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from driftloop import decisions
from driftloop.adapters.sqlite_ledger import SqliteLedger as Ledger
from driftloop.loop import LearningLoop
from driftloop.services.controller.controller import Controller
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class World:
    """Actuators that remember what was done, and fail where they are told to."""

    def __init__(self) -> None:
        self.trained: list[int] = []
        self.cutoffs: set[datetime] = set()
        self.promoted: list[str] = []
        self.fail_after: str = ""

    def train(self, order: Order, causes: Sequence[dict[str, Any]]) -> Outcome:
        if order.number not in self.trained:
            self.trained.append(order.number)
        self.cutoffs.add(order.cutoff)
        self._perhaps_fail("train")
        return Outcome("promote", f"v{order.number}", order.cutoff - DAY, ("good",))

    def promote(self, version: str) -> None:
        if version not in self.promoted:
            self.promoted.append(version)
        self._perhaps_fail("promote")

    def _perhaps_fail(self, what: str) -> None:
        if self.fail_after == what:
            self.fail_after = ""
            raise ConnectionError(what)


@pytest.fixture
def build(ads: LearningLoop, tmp_path: Path) -> Callable[[World], Controller]:
    def controller(world: World) -> Controller:
        return Controller(ads, Ledger(tmp_path / "ledger.db"), world, lambda event: None)

    return controller


def scored(day: int, bundle: str = "v1", shift: bool = True) -> CloudEvent:
    start, end = START + day * DAY, START + (day + 1) * DAY
    feature = {
        "name": "a", "kind": "numeric", "n": 9, "total": 9, "missing": 0, "p_value": 0.0,
        "effect": 0.5, "threshold": 0.1, "shift": shift, "fault": "",
    }  # fmt: skip
    data = {
        "bundle_version": bundle,
        "window_start": times.to_text(start),
        "window_end": times.to_text(end),
        "features": [feature],
    }
    return CloudEvent(f"w{day}", "/sidecar", event_types.WINDOW_SCORED, end, data)


def test_doubled_and_reordered_events_make_one_retraining(build) -> None:
    world = World()
    controller = build(world)
    controller.decide(decisions.Started(), START)
    events = [scored(day) for day in (10, 11)] * 4
    random.Random(1).shuffle(events)
    for event in events:
        controller.receive(event, START + 12 * DAY)
    for _ in range(3):
        controller.decide(decisions.Ticked(), START + 13 * DAY)
    assert world.trained == [1, 2]
    assert world.promoted == ["v1", "v2"]


def test_concurrent_controllers_make_one_retraining(
    build, ads: LearningLoop, tmp_path: Path
) -> None:
    """Four controllers on one ledger receive the same events at once."""
    world = World()
    build(world).decide(decisions.Started(), START)

    def receive() -> None:
        mine = Controller(ads, Ledger(tmp_path / "ledger.db"), world, lambda event: None)
        for day in (10, 11, 12):
            mine.receive(scored(day), START + (day + 1) * DAY)

    threads = [threading.Thread(target=receive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [row["name"] for row in Ledger(tmp_path / "ledger.db").retrainings("ads-ctr")]
    assert names == ["ads-ctr-1", "ads-ctr-2"]
    assert world.trained == [1, 2]


@pytest.mark.parametrize("where", ["train", "promote"])
def test_what_failed_in_the_middle_is_finished_once(build, where: str) -> None:
    world = World()
    world.fail_after = where
    with pytest.raises(ConnectionError):
        build(world).decide(decisions.Started(), START)
    resumed = build(world)
    resumed.settle(START)
    state, _ = resumed.ledger.state("ads-ctr")
    assert (world.trained, world.promoted) == ([1], ["v1"])
    assert (state.champion, state.running) == ("v1", 0)
    assert resumed.ledger.owed("ads-ctr") == []


def test_what_is_done_late_belongs_to_the_instant_of_its_decision(build) -> None:
    world = World()
    world.fail_after = "train"
    with pytest.raises(ConnectionError):
        build(world).decide(decisions.Started(), START)
    build(world).settle(START + 3 * DAY)
    assert world.cutoffs == {START}


def test_events_that_lead_to_no_decision_are_passed_on_once(
    ads: LearningLoop, tmp_path: Path
) -> None:
    told: list[CloudEvent] = []
    controller = Controller(ads, Ledger(tmp_path / "ledger.db"), World(), told.append)
    detected = CloudEvent("d", "/sidecar", event_types.DRIFT_DETECTED, START, {})
    for _ in range(2):
        controller.receive(detected, START)
    assert told == [detected]


def test_a_scored_window_that_cannot_be_read_is_not_taken(ads: LearningLoop, build) -> None:
    controller = build(World())
    broken = CloudEvent("w1", "/sidecar", event_types.WINDOW_SCORED, START, {})
    with pytest.raises(InvalidInput):
        controller.receive(broken, START)
    assert not controller.ledger.delivered("/sidecar", "w1")
