"""How stages send the loop back: from what is decided to one event, whatever is killed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from killing import Killed, Points, Watched

from driftloop import decisions
from driftloop.decisions import RetrainingEnded, WindowJudged, decide, returns
from driftloop.decisions.action import Decision, Promote
from driftloop.decisions.event import Ticked
from driftloop.decisions.rollout import rolled_back
from driftloop.loop import LearningLoop
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.services.controller.controller import Controller
from driftloop.stages.rules import RULES
from driftloop.state import Cause, State
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift.finding import PREDICTION_NAME
from driftloop_contracts.errors import InvalidInput

START = datetime(2026, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def serving(**changed: Any) -> State:
    return State(champion="v1", number=1, data_end=START, started=(START - 30 * DAY,)).model_copy(
        update=changed
    )


def sent(state: State, event: decisions.Event, loop: LearningLoop, now: datetime = START) -> Any:
    """The rules by which a decision sends the loop back, each with its Retraining's number."""
    decision = decide(state, event, loop.spec, now)
    return [(one.returned.rule, one.number) for one in returns.of(state, event, decision)]


def window(shifts: Any = (), faults: Any = ()) -> WindowJudged:
    return WindowJudged("v1", START - DAY, START, dict(shifts), dict(faults))


def test_a_broken_feature_leads_back_to_the_data_once(ads: LearningLoop) -> None:
    broken = window(faults={"discount": "all missing"})
    assert sent(serving(), broken, ads) == [("data_fault", 0)]
    assert sent(serving(faults=("discount",)), broken, ads) == []
    assert sent(serving(), window(faults={PREDICTION_NAME: "stands still"}), ads) == []


def test_drift_leads_back_when_its_retraining_opens(ads: LearningLoop) -> None:
    shifted = decide(serving(), window(shifts={"category": "far"}), ads.spec, START)
    assert returns.of(serving(), window(), shifted) == ()
    later = START + 20 * DAY
    assert sent(shifted.state, decisions.Ticked(), ads, later) == [("data_drift", 2)]


@pytest.mark.parametrize(
    ("kind", "rules", "expected"),
    [
        ("drift", (), ["data_drift"]),
        ("drift", ("data_drift", "concept_drift"), ["data_drift", "concept_drift"]),
        ("drift", ("concept_drift",), ["data_drift", "concept_drift"]),
        ("staleness", (), ["stale_data"]),
        ("growth", (), []),
        ("manual", (), []),
        ("initial", (), []),
    ],
)
def test_each_cause_leads_back_by_its_own_rule(
    ads: LearningLoop, kind: Any, rules: tuple[str, ...], expected: list[str]
) -> None:
    cause = Cause(kind=kind, until=START, ready_at=START, evidence=("One.", "Two."), rules=rules)
    state = serving(waiting=(cause,))
    assert [rule for rule, _ in sent(state, decisions.Ticked(), ads)] == expected


def test_evidence_stands_with_the_rule_that_it_shows(ads: LearningLoop) -> None:
    rules = ("data_drift", "concept_drift", "concept_drift")
    cause = Cause(
        kind="drift", until=START, ready_at=START, evidence=("A.", "B.", "C."), rules=rules
    )
    state = serving(waiting=(cause,))
    decision = decide(state, decisions.Ticked(), ads.spec, START)
    found = returns.of(state, decisions.Ticked(), decision)
    assert [one.returned.reason for one in found] == ["A.", "B. (and 1 more)"]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("reject", ["gate_refused"]), ("hold", ["gate_refused"]), ("promote", []), ("failed", [])],
)
def test_what_the_gate_refuses_leads_back_to_the_model(
    ads: LearningLoop, verdict: str, expected: list[str]
) -> None:
    state = serving(number=2, running=2, running_champion="v1")
    ended = RetrainingEnded(2, verdict, "v2", START, reasons=("Too few rows.",))
    assert [rule for rule, _ in sent(state, ended, ads)] == expected
    assert sent(serving(), ended, ads) == [], "it is told once, while it runs"


def test_what_the_pipeline_found_is_told_whatever_the_verdict(ads: LearningLoop) -> None:
    found = (RULES["label_errors"].returned("3 of 100 labels are wrong."),)
    state = serving(number=2, running=2, running_champion="v1")
    for verdict in ("promote", "failed"):
        ended = RetrainingEnded(2, verdict, "v2", START, returned=found)
        assert sent(state, ended, ads) == [("label_errors", 2)]


def test_the_breaker_leads_back_to_scoping(ads: LearningLoop) -> None:
    state = serving(number=4, running=4, running_champion="v1", unpromoted=2)
    ended = RetrainingEnded(4, "reject", "v4", START, reasons=("Worse.",))
    assert sent(state, ended, ads) == [("gate_refused", 4), ("breaker", 4)]


def test_a_bundle_that_gives_way_leads_back_to_the_model(ads: LearningLoop) -> None:
    passed = Passed(version="v2", retraining=2, data_end=START, fresh=timedelta(0), predicted=1.0)
    rollout = Progress(passed=passed, stable="v1", since=START)
    orders = ads.spec.orders.model_copy(update={"rollback": "previous 1"})
    spec = ads.spec.model_copy(update={"orders": orders})
    loop = ads.model_copy(update={"spec": spec})
    state = serving(number=2, rollout=rollout)
    assert sent(state, decisions.Ticked(), loop) == [("withdrawn", 2)]


class Machine(Points):
    """What outlives a controller."""

    def __init__(self, killed_at: int = -1) -> None:
        super().__init__(killed_at)
        self.events: dict[str, tuple[str, Any]] = {}

    def train(self, order: Order, causes: Sequence[dict[str, Any]]) -> Outcome:
        found = (RULES["few_positives"].returned("4 positives in 1,000 rows."),)
        verdict = "promote" if order.number == 1 else "reject"
        version, ends = f"v{order.number}", order.cutoff - DAY
        return self.step(lambda: Outcome(verdict, version, ends, ("Said.",), None, found))

    def promote(self, version: str) -> None:
        self.step(lambda: None)

    def emit(self, event: CloudEvent) -> None:
        told = event.type, dict(event.data)
        self.step(lambda: self.events.setdefault(event.id, told))


def reviewed() -> CloudEvent:
    """What a stage outside the controller says."""
    data = RULES["pivot"].returned("0.01 where 0.05 is asked.").to_data()
    return CloudEvent(
        "review/1", "/driftloop/ads-ctr/review", event_types.STAGE_RETURNED, START, data
    )


def scored(day: int) -> CloudEvent:
    start, end = (f"2026-01-{day + more:02d}T00:00:00Z" for more in (0, 1))
    quiet = {"missing": 0, "total": 9, "p_value": 0.0, "effect": 0.5, "threshold": 0.1}
    features = [
        quiet | {"name": "category", "shift": True, "fault": ""},
        quiet | {"name": "discount", "shift": False, "fault": "stands_still"},
    ]
    data = {"bundle_version": "v1", "window_start": start, "window_end": end, "features": features}
    now = START + (day - 9) * DAY
    return CloudEvent(f"w{day}", "/sidecar", event_types.WINDOW_SCORED, now, data)


def story() -> list[tuple[datetime, Callable[[Controller, datetime], None]]]:
    """What happens when: a first model, a shift with a fault, a refused candidate, a review."""
    return [
        (START, lambda c, now: c.decide(decisions.Started(), now)),
        (START + 6 * DAY, lambda c, now: c.receive(scored(15), now)),
        (START + 10 * DAY, lambda c, now: c.decide(decisions.Ticked(), now)),
        (START + 11 * DAY, lambda c, now: c.receive(reviewed(), now)),
        (START + 12 * DAY, lambda c, now: c.receive(reviewed(), now)),
    ]


def turned(ads: LearningLoop, folder: Path, killed_at: int = -1) -> tuple[Machine, Any]:
    """The machine and what its ledger says was returned, its controller killed at that point."""
    folder.mkdir()
    machine = Machine(killed_at)

    def fresh() -> Controller:
        return Controller(ads, Watched(folder / "ledger.db", machine), machine, machine.emit)

    controller = fresh()
    for now, happens in story():
        try:
            happens(controller, now)
        except Killed:
            controller = fresh()
            happens(controller, now)
        controller.settle(now)
    found = controller.ledger.returned(ads.name)
    controller.ledger.close()
    return machine, found


def test_every_kill_point_tells_the_same_returns_under_the_same_ids(
    ads: LearningLoop, tmp_path: Path
) -> None:
    whole, returned = turned(ads, tmp_path / "whole")
    told = {i: data for i, (kind, data) in whole.events.items() if "stage.returned" in kind}
    assert [one["rule"] for one in returned] == [
        "few_positives", "data_fault", "data_drift", "few_positives", "gate_refused", "pivot",
    ]  # fmt: skip
    assert sorted(data["rule"] for data in told.values()) == sorted(r["rule"] for r in returned)
    assert "review/1" in told
    numbered = {"few_positives", "data_drift", "gate_refused"}
    assert {data["rule"] for data in told.values() if "retraining" in data} == numbered
    order = list(whole.events)
    drift = next(i for i, data in told.items() if data["rule"] == "data_drift")
    opened = f"{event_types.RETRAINING_OPENED}/ads-ctr-2"
    assert order.index(drift) < order.index(opened), "it is told before a training that takes long"
    assert whole.points > 40
    for point in range(whole.points):
        again, found = turned(ads, tmp_path / str(point), killed_at=point)
        mine = {i: data for i, (kind, data) in again.events.items() if "stage.returned" in kind}
        assert mine == told, point
        assert found == returned, point


def test_at_rest_nothing_is_written(ads: LearningLoop, tmp_path: Path) -> None:
    machine = Machine()
    ledger = Watched(tmp_path / "ledger.db", machine)
    controller = Controller(ads, ledger, machine, machine.emit)
    controller.decide(decisions.Started(), START)
    before = machine.points
    for hour in range(1, 5):
        controller.decide(decisions.Ticked(), START + timedelta(hours=hour))
    assert machine.points == before


def test_what_is_no_return_is_not_taken(ads: LearningLoop, tmp_path: Path) -> None:
    machine = Machine()
    controller = Controller(ads, Watched(tmp_path / "l.db", machine), machine, machine.emit)
    source, kind = "/driftloop/ads-ctr/review", event_types.STAGE_RETURNED
    with pytest.raises(InvalidInput, match="a stage's return"):
        controller.receive(CloudEvent("r", source, kind, START, {"from": "x"}), START)
    assert not controller.ledger.delivered(source, "r")


def test_a_person_who_goes_back_to_an_earlier_champion_is_told_as_a_return() -> None:
    before = State(champion="0002-bbbbbbbb", before=("0001-aaaaaaaa",))
    (one,) = returns.of(before, Ticked(), rolled_back(before, "previous"))
    assert one.returned.rule == "withdrawn"
    assert "0001-aaaaaaaa back into service, in place of 0002-bbbbbbbb" in one.returned.reason
    assert one.number == 2


def test_a_new_champion_is_no_return() -> None:
    before = State(champion="0002-bbbbbbbb", before=("0001-aaaaaaaa",))
    promoted = Decision(before, (Promote("0003-cccccccc", 3),))
    assert returns.of(before, Ticked(), promoted) == ()
