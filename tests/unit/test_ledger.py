"""The ledger and the controller: every effect once, whatever is doubled, reordered or killed."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from driftloop import decisions
from driftloop.ledger import Conflict, Entry, Ledger
from driftloop.loop import LearningLoop
from driftloop.services.controller.controller import Controller, Outcome
from driftloop.state import State
from driftloop.training.order import Order
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class World:
    """Actuators that remember what was done, and fail where they are told to."""

    def __init__(self) -> None:
        self.trained: list[int] = []
        self.promoted: list[str] = []
        self.fail_after: str = ""

    def train(self, order: Order) -> Outcome:
        if order.number not in self.trained:
            self.trained.append(order.number)
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


def test_a_record_on_an_old_generation_is_refused(tmp_path: Path) -> None:
    first, second = Ledger(tmp_path / "l.db"), Ledger(tmp_path / "l.db")
    entry = Entry("x", START, ("why",))
    first.record("ads", 0, State(number=1), entry)
    with pytest.raises(Conflict):
        second.record("ads", 0, State(number=2), entry)
    assert second.state("ads") == (State(number=1), 1)


def test_a_refused_record_leaves_nothing_behind(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.db")
    ledger.record("ads", 0, State(), Entry("x", START, ("why",), delivery=("s", "1")))
    late = Entry("x", START, ("no",), (("promote", {}),), delivery=("s", "2"))
    with pytest.raises(Conflict):
        ledger.record("ads", 0, State(), late)
    assert not ledger.delivered("s", "2")
    assert ledger.owed("ads") == []
    assert [d["reasons"] for d in ledger.decisions("ads")] == [["why"]]


def test_of_many_that_decide_at_once_one_wins_each_generation(tmp_path: Path) -> None:
    def work() -> None:
        ledger = Ledger(tmp_path / "l.db")
        for _ in range(20):
            while True:
                state, generation = ledger.state("ads")
                number = state.number + 1
                opened = {"number": number, "causes": [], "onset": None, "champion": ""}
                entry = Entry("x", START, ("why",), retraining=opened)
                try:
                    ledger.record("ads", generation, State(number=number), entry)
                    break
                except Conflict:
                    continue
        ledger.close()

    Ledger(tmp_path / "l.db").close()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger = Ledger(tmp_path / "l.db")
    assert ledger.state("ads") == (State(number=80), 80)
    assert [row["number"] for row in ledger.retrainings("ads")] == list(range(1, 81))


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


KILLED = """
import os, signal, sys
from datetime import datetime, UTC
from pathlib import Path
from driftloop.ledger import Entry, Ledger
from driftloop.state import State
ledger = Ledger(Path(sys.argv[1]))
entry = Entry("x", datetime(2026, 1, 1, tzinfo=UTC), ("why",), (("open", {"number": 1}),))
if sys.argv[2] == "inside":
    ledger._log = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
ledger.record("ads", 0, State(number=1), entry)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("when", "number"), [("inside", 0), ("after", 1)])
def test_a_kill_leaves_all_of_a_decision_or_nothing(when: str, number: int, tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), when])
    assert done.returncode == -9
    ledger = Ledger(path)
    assert ledger.state("ads")[0].number == number
    assert len(ledger.owed("ads")) == number
