"""Rollouts as decisions: steps, promotion, rollback, approval, and what a person orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from driftloop import decisions
from driftloop.decisions import (
    Alert,
    Decision,
    OpenRetraining,
    Promote,
    RetrainingEnded,
    RolloutObserved,
    Shift,
    Started,
    Ticked,
    Withdraw,
)
from driftloop.loop import LearningLoop, LoopSpec
from driftloop.rollout.arm import Arm
from driftloop.rollout.contrast import Moments
from driftloop.rollout.outcomes import Beside, Compared
from driftloop.spec.orders import Orders
from driftloop.spec.rollout import Rollout
from driftloop.state import Cause, Interval, State

START = datetime(2026, 1, 10, tzinfo=UTC)
RNG = np.random.default_rng(0)


@pytest.fixture
def spec(ads: LearningLoop) -> LoopSpec:
    policy = {"mode": "canary", "steps": ["5%", "50%"], "hold": "30m", "patience": "2h"}
    return ads.spec.model_copy(update={"rollout": Rollout.model_validate(policy)})


@pytest.fixture
def rolling(spec: LoopSpec) -> State:
    """A loop whose second bundle has just passed the gate."""
    state = State(champion="0001-a", number=2, running=2, started=(START,), before=("0000-z",))
    rolling = ended(state, spec).state
    return look(rolling, spec, 0, Arm(), Arm()).state


def ended(state: State, spec: LoopSpec, version: str = "0002-b") -> Decision:
    event = RetrainingEnded(state.running, "promote", version, START)
    return decisions.decide(state, event, spec, START)


def arm(requests: int, failed: int = 0) -> Arm:
    values = RNG.normal(1, 0.3, requests)
    sums = Moments(n=requests, total=float(values.sum()), square=float((values**2).sum()))
    return Arm(requests=requests, failed=failed, latency=sums, prediction=sums)


def look(
    state: State,
    spec: LoopSpec,
    minutes: float,
    candidate: Arm,
    stable: Arm,
    version: str = "0002-b",
) -> Decision:
    event = RolloutObserved(version, {"pod-2": candidate}, {"pod-1": stable})
    return decisions.decide(state, event, spec, START + timedelta(minutes=minutes))


def ordered(state: State, spec: LoopSpec, now: datetime = START, **orders: str) -> Decision:
    told = spec.model_copy(update={"orders": Orders(**orders)})
    return decisions.decide(state, Ticked(), told, now)


def of(decision: Decision, kind: type) -> list[Any]:
    return [action for action in decision.actions if isinstance(action, kind)]


def test_a_bundle_that_passed_the_gate_gets_its_first_share(spec: LoopSpec) -> None:
    state = State(champion="0001-a", number=2, running=2, started=(START,))
    decision = ended(state, spec)
    assert of(decision, Shift) == [Shift("0002-b", "0001-a", 0.05)]
    assert (decision.state.champion, decision.state.running) == ("0001-a", 0)
    assert of(decision, Promote) == []


def test_the_first_bundle_of_a_loop_takes_all_traffic(spec: LoopSpec) -> None:
    state = decisions.decide(State(), Started(), spec, START).state
    assert of(ended(state, spec, "0001-a"), Promote) == [Promote("0001-a", 1)]


def test_step_by_step_into_service(rolling: State, spec: LoopSpec) -> None:
    own, other = arm(200), arm(4000)
    assert look(rolling, spec, 10, own, other).actions == ()
    further = look(rolling, spec, 31, own, other)
    assert of(further, Shift) == [Shift("0002-b", "0001-a", 0.5)]
    done = look(further.state, spec, 62, own + arm(500), other + arm(500))
    assert of(done, Promote) == [Promote("0002-b", 2)]
    assert (done.state.champion, done.state.rollout) == ("0002-b", None)
    assert done.state.before == ("0000-z", "0001-a")


def test_a_breach_sends_it_back_for_good(rolling: State, spec: LoopSpec) -> None:
    back = look(rolling, spec, 1, arm(20, failed=15), arm(400))
    assert [(w.version, w.stable) for w in of(back, Withdraw)] == [("0002-b", "0001-a")]
    assert "fails more often" in of(back, Withdraw)[0].why
    assert (back.state.champion, back.state.blocked) == ("0001-a", ("0002-b",))
    assert back.state.unpromoted == 1
    again = ended(back.state.model_copy(update={"running": 3}), spec)
    assert of(again, Shift) + of(again, Promote) == []
    assert "does not come again" in again.reasons[0]


def test_what_is_held_goes_into_service_only_when_a_person_says_so(
    rolling: State, spec: LoopSpec
) -> None:
    late = START + timedelta(hours=3)
    held = decisions.decide(rolling, Ticked(), spec, late)
    assert len(of(held, Withdraw)) == len(of(held, Alert)) == 1
    assert held.state.blocked == ()
    other = ordered(held.state, spec, late, approve="0009-x")
    assert (other.actions, other.reasons) == ((), ("0009-x is not held.",))
    approved = ordered(held.state, spec, late, approve="0002-b")
    assert of(approved, Promote) == [Promote("0002-b", 2)]
    assert approved.state.held is None


def test_a_person_sends_a_bundle_back_on_its_way_or_later(rolling: State, spec: LoopSpec) -> None:
    stopped = ordered(rolling, spec, rollback="previous")
    assert [w.stable for w in of(stopped, Withdraw)] == ["0001-a"]
    assert stopped.state.blocked == ("0002-b",)
    back = ordered(stopped.state, spec, rollback="previous 2")
    assert of(back, Promote) == [Promote("0000-z", 0)]
    assert (back.state.champion, back.state.blocked) == ("0000-z", ("0002-b", "0001-a"))
    chosen = ordered(back.state, spec, rollback="0001-a")
    assert (chosen.state.champion, chosen.state.blocked) == ("0001-a", ("0002-b", "0000-z"))
    none = ordered(State(champion="0001-a"), spec, rollback="previous")
    assert (none.actions, none.state.champion) == ((), "0001-a")
    slip = ordered(back.state, spec, rollback="0001-A")
    assert (slip.actions, "those of the past: 0001-a" in slip.reasons[0]) == ((), True)


def test_looks_at_another_bundle_or_after_the_end_change_nothing(
    rolling: State, spec: LoopSpec
) -> None:
    bad = arm(20, failed=20)
    assert look(rolling, spec, 1, bad, arm(400), version="0003-c").state == rolling
    back = look(rolling, spec, 1, bad, arm(400)).state
    assert look(back, spec, 2, bad, arm(400)).state == back


def test_no_retraining_opens_meanwhile(rolling: State, spec: LoopSpec) -> None:
    cause = Cause(kind="manual", until=START, ready_at=START, evidence=("Somebody asked.",))
    asked = rolling.model_copy(update={"waiting": (cause,)})
    decision = decisions.decide(asked, Ticked(), spec, START + timedelta(minutes=1))
    assert of(decision, OpenRetraining) == []
    assert "0002-b is on its way into service." in decision.reasons


def test_the_breaker_counts_what_was_sent_back_and_a_person_closes_it(
    rolling: State, spec: LoopSpec
) -> None:
    tired = rolling.model_copy(update={"unpromoted": spec.retrain.breaker - 1})
    back = look(tired, spec, 1, arm(20, failed=15), arm(400))
    assert [alert.kind for alert in of(back, Alert)] == ["rollout", "breaker"]
    closed = ordered(back.state, spec, resume="2026-01-11")
    assert (closed.state.unpromoted, closed.reasons) == (0, ("A person closed the breaker.",))


def test_an_order_is_obeyed_once(rolling: State, spec: LoopSpec) -> None:
    orders = {"rollback": "previous", "resume": "now"}
    once = ordered(rolling, spec, **orders).state
    again = ordered(once, spec, **orders)
    assert (again.state, again.actions, again.reasons) == (once, (), ())
    assert ordered(once, spec).state.obeyed != once.obeyed, "an order taken back may come again"


def test_an_order_for_a_version_that_never_was_changes_nothing(
    rolling: State, spec: LoopSpec
) -> None:
    slip = ordered(rolling, spec, rollback="0001-A now")
    assert (slip.actions, slip.state.rollout, slip.state.blocked) == ((), rolling.rollout, ())


def test_a_loop_without_a_model_can_be_resumed(spec: LoopSpec) -> None:
    tired = State(unpromoted=spec.retrain.breaker)
    assert of(decisions.decide(tired, Started(), spec, START), OpenRetraining) == []
    told = spec.model_copy(update={"orders": Orders(resume="today")})
    assert len(of(decisions.decide(tired, Started(), told, START), OpenRetraining)) == 1


def test_what_was_judged_against_a_champion_that_left_is_not_promoted(spec: LoopSpec) -> None:
    running = State(
        champion="0005-e", before=("0004-d",), number=6, running=6, running_champion="0005-e",
        started=(START,),
    )  # fmt: skip
    back = ordered(running, spec, rollback="previous").state
    assert back.champion == "0004-d"
    late = ended(back, spec, "0006-f")
    assert of(late, Promote) + of(late, Shift) == []
    assert (late.state.running, late.state.unpromoted) == (0, 1)
    assert "no longer in service" in late.reasons[0]


def test_time_alone_brings_no_bundle_further(rolling: State, spec: LoopSpec) -> None:
    seen = look(rolling, spec, 1, arm(200), arm(4000)).state
    later = decisions.decide(seen, Ticked(), spec, START + timedelta(minutes=45))
    assert (later.actions, later.state) == ((), seen)


def outcomes(
    kpi: float, bundles: tuple[str, str] = ("0002-b", "0001-a")
) -> decisions.CohortMatured:
    compared = Compared(values=(kpi, 1.0), errors=(0.01, 0.01))
    return decisions.CohortMatured(
        beside=Beside(
            bundles=bundles,
            start=START,
            end=START + timedelta(hours=5),
            weight=500,
            groups=60,
            kpi=compared,
        )
    )


def test_outcomes_that_are_worse_send_a_candidate_back_for_good(
    rolling: State, spec: LoopSpec
) -> None:
    now = START + timedelta(minutes=40)
    sound = decisions.decide(rolling, outcomes(0.99), spec, now).state
    assert sound.rollout is not None
    assert sound.rollout.evidence.outcomes.looks == 1
    worse = decisions.decide(sound, outcomes(0.2), spec, now)
    (back,) = [action for action in worse.actions if isinstance(action, Withdraw)]
    assert "The KPI differs" in back.why
    assert "0002-b" in worse.state.blocked


def test_outcomes_of_other_bundles_say_nothing_of_this_one(rolling: State, spec: LoopSpec) -> None:
    told = outcomes(0.1, ("0001-a", "0000-z"))
    assert decisions.decide(rolling, told, spec, START) == Decision(rolling)


@pytest.fixture
def hidden(spec: LoopSpec) -> tuple[State, LoopSpec]:
    """A loop whose second bundle passed the gate and is seen by nobody."""
    rollout = spec.rollout.model_copy(update={"mode": "shadow"})
    own = spec.model_copy(update={"rollout": rollout})
    state = State(champion="0001-a", number=2, running=2, started=(START,))
    begun = ended(state, own)
    assert begun.actions == ()
    assert begun.state.champion == "0001-a"
    return begun.state, own


def judged(state: State, spec: LoopSpec, verdict: str, version: str = "0002-b") -> Decision:
    event = decisions.ShadowJudged(version, verdict, ("So the gate says.",), needed=900)
    return decisions.decide(state, event, spec, START + timedelta(days=1))


def test_a_hidden_bundle_is_promoted_by_the_gates_second_yes(
    hidden: tuple[State, LoopSpec],
) -> None:
    decision = judged(*hidden, "promote")
    assert decision.actions == (Promote("0002-b", 2),)
    assert (decision.state.champion, decision.state.rollout) == ("0002-b", None)


def test_a_verdict_of_another_step_is_let_go(hidden: tuple[State, LoopSpec]) -> None:
    """It may have been told twice, or be late: its bounds were those of another look."""
    state, spec = hidden
    held = judged(state, spec, "hold").state
    assert held.rollout is not None
    assert held.rollout.step == 1
    event = decisions.ShadowJudged("0002-b", "promote", ("Yes.",), 900, step=0)
    now = START + timedelta(days=1)
    assert decisions.decide(held, event, spec, now) == Decision(held)
    event = decisions.ShadowJudged("0002-b", "promote", ("Yes.",), 900, step=1)
    assert decisions.decide(held, event, spec, now).state.champion == "0002-b"


def test_a_hidden_bundle_that_is_worse_does_not_come_again(hidden: tuple[State, LoopSpec]) -> None:
    decision = judged(*hidden, "reject")
    assert [type(action) for action in decision.actions] == [Withdraw, Alert]
    assert decision.state.blocked == ("0002-b",)
    assert judged(decision.state, hidden[1], "promote") == Decision(decision.state)


def test_a_hidden_bundle_waits_for_the_rows_that_it_takes_and_is_held_in_the_end(
    hidden: tuple[State, LoopSpec],
) -> None:
    state, spec = hidden
    waiting = judged(state, spec, "hold").state
    assert waiting.rollout is not None
    assert waiting.rollout.requests == 900
    silent = look(waiting, spec, 200, Arm(), Arm())
    assert silent.state == waiting, "nobody counts what has no traffic"
    late = START + spec.rollout.patience
    held = decisions.decide(waiting, Ticked(), spec, late)
    assert held.state.held is not None
    assert held.state.blocked == ()
    orders = Orders(approve="0002-b")
    approved = decisions.decide(
        held.state, Ticked(), spec.model_copy(update={"orders": orders}), late
    )
    assert approved.state.champion == "0002-b"


def test_outcomes_of_a_time_with_a_broken_feature_tell_of_the_feature(
    rolling: State, spec: LoopSpec
) -> None:
    broken = Interval(start=START + timedelta(hours=1), end=START + timedelta(hours=2))
    state = rolling.model_copy(update={"quarantine": (broken,)})
    assert decisions.decide(state, outcomes(0.1), spec, START) == Decision(state)
