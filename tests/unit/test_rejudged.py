"""What the gate held: judged again on later rows, approved, or overtaken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from driftloop import decisions
from driftloop.bundle import retention
from driftloop.cohorts import order
from driftloop.decisions import (
    Decision,
    OpenRetraining,
    Promote,
    RetrainingEnded,
    ShadowJudged,
    Shift,
    Ticked,
)
from driftloop.decisions.rejudged import MOST
from driftloop.decisions.returns import of as returns
from driftloop.loop import LearningLoop, LoopSpec
from driftloop.resources import standing
from driftloop.spec.orders import Orders
from driftloop.spec.rollout import Rollout
from driftloop.state import Cause, State

START = datetime(2026, 1, 10, tzinfo=UTC)
DATA_END = START - timedelta(days=3)


@pytest.fixture
def spec(ads: LearningLoop) -> LoopSpec:
    return ads.spec


@pytest.fixture
def held(spec: LoopSpec) -> State:
    """A loop whose second bundle the gate has just held for want of rows."""
    state = State(
        champion="0001-a", number=2, running=2, started=(START,), running_champion="0001-a"
    )
    return ended(state, spec).state


def ended(state: State, spec: LoopSpec, needed: int = 4000) -> Decision:
    told = RetrainingEnded(2, "hold", "0002-b", DATA_END, 1.1, cause="manual", needed=needed)
    return decisions.decide(state, told, spec, START)


def judged(state: State, spec: LoopSpec, verdict: str, step: int | None = 0) -> Decision:
    event = ShadowJudged("0002-b", verdict, ("So it is.",), 9000, step, predicted=1.3)
    return decisions.decide(state, event, spec, START + timedelta(days=2))


def promoted(decision: Decision) -> list[str]:
    return [one.version for one in decision.actions if isinstance(one, Promote)]


def test_what_was_held_waits_for_rows_of_later_than_its_data(held: State) -> None:
    again = held.again
    assert again is not None
    assert held.held is not None
    # The rows of one request share an instant, so those of its data's end were learnt from.
    assert again.since == DATA_END + timedelta(microseconds=1)
    assert (again.version, again.stable) == ("0002-b", "0001-a")
    assert (again.requests, again.passed.cause) == (4000, "manual")
    assert order.of(held).rollout == again
    (condition,) = [
        one for one in standing.of(held, {}, START, 1)["conditions"] if one["type"] == "Held"
    ]
    assert (condition["status"], condition["reason"]) == ("True", "AwaitsRows")
    told = "0002-b may be approved. 0002-b is judged again on 4000 later rows."
    assert condition["message"] == told
    assert "0002-b" in retention.named(held)
    assert held.unpromoted == 1


def test_a_yes_on_later_rows_brings_it_into_service(held: State, spec: LoopSpec) -> None:
    decision = judged(held, spec, "promote")
    assert promoted(decision) == ["0002-b"]
    after = decision.state
    assert (after.champion, after.again, after.held, after.unpromoted) == ("0002-b", None, None, 0)
    assert after.data_end == DATA_END


def test_a_yes_begins_the_canary_of_a_loop_that_has_one(held: State, spec: LoopSpec) -> None:
    canary = spec.model_copy(update={"rollout": Rollout(mode="canary")})
    decision = judged(held, canary, "promote")
    assert [type(one) for one in decision.actions] == [Shift]
    assert decision.state.rollout is not None
    assert decision.state.again is None
    assert decision.state.rollout.passed.predicted == 1.3, "as on the rows that told"
    assert decision.state.rollout.passed.cause == ""


def test_a_shadow_is_not_judged_twice_on_what_was_answered(held: State, spec: LoopSpec) -> None:
    shadow = spec.model_copy(update={"rollout": Rollout(mode="shadow")})
    assert promoted(judged(held, shadow, "promote")) == ["0002-b"]


def test_a_no_sends_it_away_for_good(held: State, spec: LoopSpec) -> None:
    decision = judged(held, spec, "reject")
    after = decision.state
    event = ShadowJudged("0002-b", "reject", ("So it is.",), 9000, 0)
    (sent,) = returns(held, event, decision)
    assert (sent.returned.rule, sent.number) == ("gate_refused", 2)
    assert returns(held.model_copy(update={"again": None}), event, decision) == ()
    assert (after.again, after.held, after.blocked) == (None, None, ("0002-b",))
    assert after.unpromoted == 1, "its retraining was counted when the gate held it"


def test_a_hold_waits_for_the_rows_that_it_asks_for(held: State, spec: LoopSpec) -> None:
    after = judged(held, spec, "hold").state
    assert after.again is not None
    assert (after.again.requests, after.again.step) == (9000, 1)
    assert judged(after, spec, "promote", step=0).state == after, "the bounds of another look"
    assert promoted(judged(after, spec, "promote", step=1)) == ["0002-b"]


def test_the_next_retraining_opens_and_only_its_promotion_ends_the_wait(
    held: State, spec: LoopSpec
) -> None:
    now = START + timedelta(days=30)
    cause = Cause(kind="drift", until=now, ready_at=now, evidence=("Shifted.",))
    decision = decisions.decide(held.model_copy(update={"waiting": (cause,)}), Ticked(), spec, now)
    assert any(isinstance(one, OpenRetraining) for one in decision.actions)
    again = decision.state.again
    assert again == held.again
    another = RetrainingEnded(3, "hold", "0003-c", now, needed=100)
    both = decisions.decide(decision.state, another, spec, now).state
    assert both.again == again, "the rows it waits for are nearly there"
    assert both.held is not None
    assert both.held.version == "0003-c"
    assert {"0002-b", "0003-c"} <= retention.named(both)
    for version in ("0002-b", "0003-c"):
        told = spec.model_copy(update={"orders": Orders(approve=version)})
        assert promoted(decisions.decide(both, Ticked(), told, now)) == [version]
    after = judged(both, spec, "promote")
    assert promoted(after) == ["0002-b"]
    better = RetrainingEnded(3, "promote", "0003-c", now)
    assert decisions.decide(decision.state, better, spec, now).state.again is None


def test_what_is_told_while_a_retraining_runs_makes_that_one_of_another_champion(
    held: State, spec: LoopSpec
) -> None:
    running = held.model_copy(update={"number": 3, "running": 3, "running_champion": "0001-a"})
    after = judged(running, spec, "promote").state
    assert after.champion == "0002-b"
    late = RetrainingEnded(3, "promote", "0003-c", START)
    decision = decisions.decide(after, late, spec, START)
    assert promoted(decision) == []
    assert "judged against 0001-a, no longer in service" in decision.reasons[0]


def test_a_person_may_approve_it_meanwhile(held: State, spec: LoopSpec) -> None:
    told = spec.model_copy(update={"orders": Orders(approve="0002-b")})
    decision = decisions.decide(held, Ticked(), told, START)
    assert promoted(decision) == ["0002-b"]
    assert (decision.state.again, decision.state.held) == (None, None)


def test_going_back_by_hand_ends_the_wait(held: State, spec: LoopSpec) -> None:
    before = held.model_copy(update={"before": ("0000-z",)})
    told = spec.model_copy(update={"orders": Orders(rollback="previous")})
    decision = decisions.decide(before, Ticked(), told, START)
    assert promoted(decision) == ["0000-z"]
    assert decision.state.again is None, "it was to be compared with another champion"


def test_it_is_given_up_once_its_data_are_too_old(held: State, spec: LoopSpec) -> None:
    late = DATA_END + 2 * spec.retrain.max_age
    busy = held.model_copy(update={"number": 3, "running": 3})  # so that nothing else opens
    kept = decisions.decide(busy, Ticked(), spec, late).state
    assert kept.again is not None
    over = decisions.decide(busy, Ticked(), spec, late + timedelta(hours=1)).state
    assert over.again is None
    assert over.held is not None, "a person may approve it still"


@pytest.mark.parametrize("verdict", ["reject", "failed"])
def test_only_a_hold_is_kept(spec: LoopSpec, verdict: str) -> None:
    state = State(champion="0001-a", number=2, running=2, started=(START,))
    told = RetrainingEnded(2, verdict, "0002-b", DATA_END, needed=4000)
    after = decisions.decide(state, told, spec, START).state
    assert (after.held, after.again) == (None, None)


def test_a_first_bundle_or_one_that_no_rows_can_tell_waits_for_a_person(spec: LoopSpec) -> None:
    first = ended(State(number=2, running=2, started=(START,)), spec).state
    assert first.held is not None
    assert first.again is None
    told = ended(State(champion="0001-a", number=2, running=2, started=(START,)), spec, 0).state
    assert told.held is not None
    assert told.again is None


def test_what_was_sent_back_before_is_not_kept(spec: LoopSpec) -> None:
    state = State(champion="0001-a", number=2, running=2, started=(START,), blocked=("0002-b",))
    assert ended(state, spec).state.held is None


def test_what_takes_more_rows_than_a_job_has_room_for_waits_for_a_person(
    spec: LoopSpec, held: State
) -> None:
    running = State(champion="0001-a", number=2, running=2, started=(START,))
    assert ended(running, spec, MOST).state.again is not None
    assert ended(running, spec, MOST + 1).state.again is None
    event = ShadowJudged("0002-b", "hold", ("Unsure.",), MOST + 1, 0)
    after = decisions.decide(held, event, spec, START).state
    assert (after.again, after.held) == (None, held.held)


def test_what_a_rollout_held_gives_way_and_it_is_said(spec: LoopSpec, held: State) -> None:
    again = held.model_copy(update={"number": 3, "running": 3, "running_champion": "0001-a"})
    told = RetrainingEnded(3, "hold", "0003-c", DATA_END, needed=10)
    decision = decisions.decide(again, told, spec, START)
    assert "A person may approve 0003-c, no longer 0002-b." in decision.reasons


def test_a_ratio_beside_another_champion_is_not_kept(spec: LoopSpec) -> None:
    state = State(
        champion="0001-a", number=2, running=2, started=(START,), running_champion="0009-z"
    )
    again = ended(state, spec).state.again
    assert again is not None
    assert (again.stable, again.passed.predicted) == ("0001-a", 1.0)
