"""A controller killed at every point of a rollout: the outcome is as without the kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import Killed, Points, Watched

from driftloop import decisions
from driftloop.adapters.sqlite_ledger import SqliteLedger
from driftloop.ledger import Entry
from driftloop.loop import LearningLoop
from driftloop.rollout.arm import Arm
from driftloop.rollout.contrast import Moments
from driftloop.services.controller.controller import Controller
from driftloop.spec.rollout import Rollout
from driftloop.state import Cause
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent

START = datetime(2026, 1, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Machine(Points):
    """What outlives a controller; ``bad``: the candidate fails."""

    def __init__(self, killed_at: int = -1, *, bad: bool) -> None:
        super().__init__(killed_at)
        self.bad = bad
        self.served: dict[str, float] = {}
        self.started: list[str] = []
        self.events: dict[str, str] = {}
        self.counters: dict[str, Arm] = {}
        self.rng = np.random.default_rng(0)

    def train(self, order: Order, causes: Sequence[dict[str, Any]]) -> Outcome:
        def effect() -> Outcome:
            if order.name not in self.started:
                self.started.append(order.name)
            return Outcome("promote", f"{order.number:04d}-x", order.cutoff, ("good",))

        return self.step(effect)

    def promote(self, version: str) -> None:
        self.step(lambda: setattr(self, "served", {version: 1.0}))

    def shift(self, version: str, stable: str, share: float) -> None:
        self.step(lambda: setattr(self, "served", {stable: 1 - share, version: share}))

    def withdraw(self, version: str, stable: str) -> None:
        self.step(lambda: setattr(self, "served", {stable: 1.0}))

    def answered(self, version: str) -> dict[str, Arm]:
        return {f"pod-{version}": self.counters[version]} if version in self.counters else {}

    def emit(self, event: CloudEvent) -> None:
        self.step(lambda: self.events.setdefault(event.id, event.type))

    def minute_passes(self) -> None:
        """Let a thousand requests be answered by whoever serves."""
        for version, share in self.served.items():
            n = round(1000 * share)
            values = self.rng.normal(1, 0.3, n)
            sums = Moments(n=n, total=float(values.sum()), square=float((values**2).sum()))
            failed = n // 2 if self.bad and version == "0002-x" else 0
            own = Arm(requests=n, failed=failed, latency=sums, prediction=sums)
            self.counters[version] = self.counters.get(version, Arm()) + own


def story(machine: Machine) -> Iterator[tuple[datetime, Callable[[Controller], None]]]:
    """Yield what happens when: a first model, a cause, traffic and looks at it."""
    yield START, lambda c: c.decide(decisions.Started(), START)
    yield START + MINUTE, _ask
    for minute in range(3, 200, 10):
        machine.minute_passes()
        now = START + minute * MINUTE
        yield now, lambda c, now=now: c.look(now)
        yield now, lambda c, now=now: c.decide(decisions.Ticked(), now)


def _ask(controller: Controller) -> None:
    """Let somebody ask for a retraining, once."""
    state, generation = controller.ledger.state(controller.loop.name)
    if state.number < 2 and not state.waiting:
        cause = Cause(kind="manual", until=START, ready_at=START, evidence=("Somebody asked.",))
        asked = state.model_copy(update={"waiting": (cause,)})
        SqliteLedger.record(
            controller.ledger, controller.loop.name, generation, asked, Entry("Asked", START, ())
        )
    controller.decide(decisions.Ticked(), START + MINUTE)


def turned(ads: LearningLoop, folder: Path, *, bad: bool, killed_at: int = -1) -> Machine:
    """Return the machine after the story, its controller killed once at that point."""
    folder.mkdir()
    machine = Machine(killed_at, bad=bad)

    def fresh() -> Controller:
        return Controller(ads, Watched(folder / "ledger.db", machine), machine, machine.emit)

    controller = fresh()
    for now, happens in story(machine):
        try:
            happens(controller)
        except Killed:
            controller = fresh()
            happens(controller)
        controller.settle(now)
    state, _ = controller.ledger.state(ads.name)
    machine.state = state.model_copy(update={"rollout": None})
    controller.ledger.close()
    return machine


@pytest.fixture
def loop(ads: LearningLoop) -> LearningLoop:
    policy = {"mode": "canary", "steps": ["5%", "50%"], "hold": "30m", "patience": "6h"}
    changes = {
        "rollout": Rollout.model_validate(policy),
        "retrain": ads.spec.retrain.model_copy(
            update={"cooldown": timedelta(0), "daily_budget": 9}
        ),
    }
    return ads.model_copy(update={"spec": ads.spec.model_copy(update=changes)})


@pytest.mark.parametrize("bad", [False, True])
def test_every_kill_point_of_a_rollout_leads_to_the_same_end(
    loop: LearningLoop, tmp_path: Path, bad: bool
) -> None:
    whole = turned(loop, tmp_path / "whole", bad=bad)
    assert whole.served == ({"0001-x": 1.0} if bad else {"0002-x": 1.0})
    assert whole.started == ["ads-ctr-1", "ads-ctr-2"]
    kinds = list(whole.events.values())
    assert (event_types.ROLLOUT_WITHDRAWN in kinds) == bad
    assert kinds.count(event_types.STAGE_RETURNED) == bad
    assert kinds.count(event_types.ROLLOUT_SHIFTED) == (1 if bad else 2)
    assert whole.points > 40
    for point in range(whole.points):
        again = turned(loop, tmp_path / str(point), bad=bad, killed_at=point)
        assert again.served == whole.served, point
        assert again.started == whole.started, point
        assert again.events == whole.events, point
        assert again.state.champion == whole.state.champion, point
        assert again.state.blocked == whole.state.blocked, point
