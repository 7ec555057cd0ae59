"""decisions: every rule as it stands, and what no sequence of events may break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop import decisions
from driftloop.decisions import (
    Alert,
    Decision,
    Defer,
    OpenRetraining,
    Promote,
    RetrainingEnded,
    Started,
    Ticked,
    WindowJudged,
    decide,
)
from driftloop.loop import LearningLoop
from driftloop.state import State

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    return START + day * DAY


def window(day: float, bundle: str = "v1", shifts: str = "", faults: str = "") -> WindowJudged:
    named = ({n: "why" for n in names.split()} for names in (shifts, faults))
    return WindowJudged(bundle, at(day), at(day + 1), *named)


def serving(ads: LearningLoop) -> State:
    """A loop whose first model was promoted on day 0."""
    opened = decide(State(), Started(), ads.spec, at(0))
    ended = RetrainingEnded(1, "promote", "v1", at(-1))
    return decide(opened.state, ended, ads.spec, at(0)).state


def of(decision: Decision, kind: type) -> list:
    return [action for action in decision.actions if isinstance(action, kind)]


def test_a_loop_without_a_model_trains_one(ads: LearningLoop) -> None:
    decision = decide(State(), Started(), ads.spec, at(0))
    assert [a.causes[0].kind for a in of(decision, OpenRetraining)] == ["initial"]
    assert decision.state.running == 1


def test_a_beginning_said_twice_is_one_wish(ads: LearningLoop) -> None:
    """Two controllers may see a new loop at the same moment."""
    opened = decide(State(), Started(), ads.spec, at(0)).state
    assert decide(opened, Started(), ads.spec, at(0)) == Decision(opened)
    served = serving(ads)
    assert decide(served, Started(), ads.spec, at(0)) == Decision(served)


def test_a_first_training_that_failed_is_tried_again_within_the_budget(ads: LearningLoop) -> None:
    opened = decide(State(), Started(), ads.spec, at(0)).state
    failed = decide(opened, RetrainingEnded(1, "failed", "", None), ads.spec, at(0.1)).state
    early = decide(failed, Started(), ads.spec, at(0.2))
    assert of(early, OpenRetraining) == []
    late = decide(early.state, Started(), ads.spec, at(1.1))
    assert [a.number for a in of(late, OpenRetraining)] == [2]


def test_a_passed_gate_promotes(ads: LearningLoop) -> None:
    opened = decide(State(), Started(), ads.spec, at(0)).state
    decision = decide(opened, RetrainingEnded(1, "promote", "v1", at(-1)), ads.spec, at(0))
    assert of(decision, Promote) == [Promote("v1", 1)]
    assert (decision.state.champion, decision.state.running) == ("v1", 0)


def test_drift_from_a_champions_first_window_on_may_be_its_own_doing(ads: LearningLoop) -> None:
    """The first bundle took over from none; the second one's first windows tell."""
    first = decide(serving(ads), window(1, shifts="category"), ads.spec, at(2))
    assert "took over" not in first.reasons[0]
    opened = decide(first.state, Ticked(), ads.spec, at(9)).state
    assert opened.running == 2
    ended = RetrainingEnded(2, "promote", "v2", at(8))
    second = decide(opened, ended, ads.spec, at(9)).state
    at_once = decide(second, window(9, "v2", shifts="category"), ads.spec, at(10))
    assert (
        "since v2 took over: what it shows and decides may have caused this."
        in (at_once.state.waiting[0].evidence[0])
    )
    sound = decide(second, window(9, "v2"), ads.spec, at(10)).state
    later = decide(sound, window(10, "v2", shifts="category"), ads.spec, at(11))
    assert "took over" not in later.reasons[0]


def test_drift_waits_for_labelled_rows_of_the_new_world(ads: LearningLoop) -> None:
    """collect 2 d + maturity 1 d after the start of the first window that shifted."""
    state = decide(serving(ads), window(10, shifts="a"), ads.spec, at(11)).state
    early = decide(state, Ticked(), ads.spec, at(12))
    due = decide(early.state, Ticked(), ads.spec, at(13))
    assert of(early, OpenRetraining) == []
    (opened,) = of(due, OpenRetraining)
    assert (opened.onset, opened.champion, opened.number) == (at(10), "v1", 2)


def test_further_windows_of_a_change_append_to_its_cause(ads: LearningLoop) -> None:
    state = serving(ads)
    for day in (10, 11):
        state = decide(state, window(day, shifts="a"), ads.spec, at(day + 1)).state
    (cause,) = state.waiting
    assert (cause.onset, cause.until, len(cause.evidence)) == (at(10), at(12), 2)


def test_a_fault_alerts_once_quarantines_and_retrains_nothing(ads: LearningLoop) -> None:
    first = decide(serving(ads), window(10, faults="a"), ads.spec, at(11))
    second = decide(first.state, window(11, faults="a"), ads.spec, at(12))
    assert [a.kind for a in of(first, Alert)] == ["data_fault"]
    assert of(second, Alert) == []
    assert [(i.start, i.end) for i in second.state.quarantine] == [(at(10), at(12))]
    assert second.state.waiting == ()
    whole = decide(second.state, window(12), ads.spec, at(13))
    again = decide(whole.state, window(13, faults="a"), ads.spec, at(14))
    assert len(of(again, Alert)) == 1


def test_predictions_that_break_are_told_and_no_row_is_quarantined(ads: LearningLoop) -> None:
    decision = decide(serving(ads), window(3, faults="(prediction)"), ads.spec, at(4))
    (alert,) = of(decision, Alert)
    assert "(prediction) is broken in the predictor: why. No retraining" in alert.text
    assert decision.state.quarantine == ()
    classes = decide(serving(ads), window(3, faults="predicted_class"), ads.spec, at(4))
    assert "predicted_class is broken in the predictor" in of(classes, Alert)[0].text
    assert classes.state.quarantine == ()
    both = decide(serving(ads), window(3, faults="(prediction) position"), ads.spec, at(4))
    assert len(both.state.quarantine) == 1


def test_a_window_with_a_fault_and_another_shift_does_both(ads: LearningLoop) -> None:
    decision = decide(serving(ads), window(10, shifts="a b", faults="a"), ads.spec, at(11))
    assert len(of(decision, Alert)) == 1
    (cause,) = decision.state.waiting
    assert "b shifted" in cause.evidence[0]
    assert "a shifted" not in cause.evidence[0]


def test_the_quarantine_reaches_the_order(ads: LearningLoop) -> None:
    state = decide(serving(ads), window(9, faults="x"), ads.spec, at(10)).state
    state = decide(state, window(10, shifts="a"), ads.spec, at(11)).state
    (opened,) = of(decide(state, Ticked(), ads.spec, at(13)), OpenRetraining)
    assert [(i.start, i.end) for i in opened.quarantine] == [(at(9), at(10))]


def test_a_window_judged_against_another_bundle_opens_nothing(ads: LearningLoop) -> None:
    decision = decide(serving(ads), window(10, bundle="v0", shifts="a"), ads.spec, at(11))
    assert decision.state.waiting == ()
    assert "v0" in decision.reasons[0]


def test_age_and_growth_ask_for_a_retraining(ads: LearningLoop) -> None:
    stale = decide(serving(ads), Ticked(), ads.spec, at(61))
    assert [a.causes[0].kind for a in of(stale, OpenRetraining)] == ["staleness"]
    state = decide(serving(ads), window(10, shifts="a"), ads.spec, at(11)).state
    state = decide(state, Ticked(), ads.spec, at(13)).state
    state = decide(state, RetrainingEnded(2, "promote", "v2", at(12)), ads.spec, at(13)).state
    early = decide(state, Ticked(), ads.spec, at(20))
    grown = decide(early.state, Ticked(), ads.spec, at(21))
    assert of(early, OpenRetraining) == []
    (opened,) = of(grown, OpenRetraining)
    assert (opened.causes[0].kind, opened.onset) == ("growth", at(10))


def test_a_try_that_is_held_counts_for_growth_only_where_it_was_about_the_same_change(
    ads: LearningLoop,
) -> None:
    state = decide(serving(ads), window(10, shifts="a"), ads.spec, at(11)).state
    state = decide(state, Ticked(), ads.spec, at(13)).state
    state = decide(state, RetrainingEnded(2, "promote", "v2", at(12)), ads.spec, at(13)).state
    grown = decide(state, Ticked(), ads.spec, at(21)).state
    held = decide(grown, RetrainingEnded(3, "hold"), ads.spec, at(21)).state
    assert of(decide(held, Ticked(), ads.spec, at(40)), OpenRetraining) == []
    other = decide(state, window(14, "v2", shifts="b"), ads.spec, at(15)).state
    other = decide(other, Ticked(), ads.spec, at(17)).state
    assert other.running == 3
    other = decide(other, RetrainingEnded(3, "hold"), ads.spec, at(17)).state
    (opened,) = of(decide(other, Ticked(), ads.spec, at(21)), OpenRetraining)
    assert (opened.causes[0].kind, opened.onset) == ("growth", at(10))


def test_evidence_the_new_bundle_covers_is_superseded(ads: LearningLoop) -> None:
    state = decide(serving(ads), Ticked(), ads.spec, at(61)).state
    state = decide(state, window(58, shifts="a"), ads.spec, at(61)).state
    assert len(state.waiting) == 1
    decision = decide(state, RetrainingEnded(2, "promote", "v2", at(60)), ads.spec, at(61))
    assert decision.state.waiting == ()
    assert any("Superseded" in reason for reason in decision.reasons)


def test_the_breaker_stops_and_tells_once(ads: LearningLoop) -> None:
    state, alerts = serving(ads), []
    for round_ in range(5):
        now = at(61 * (round_ + 1))
        opened = decide(state, Ticked(), ads.spec, now)
        if not of(opened, OpenRetraining):
            assert "a person must decide" in of(opened, Defer)[0].reason
            break
        number = of(opened, OpenRetraining)[0].number
        ended = decide(opened.state, RetrainingEnded(number, "reject"), ads.spec, now)
        alerts += of(ended, Alert)
        state = ended.state
    assert round_ == 3
    assert [alert.kind for alert in alerts] == ["breaker"]


def test_a_paused_loop_opens_nothing_and_says_why_once(ads: LearningLoop) -> None:
    spec = ads.spec.model_copy(update={"paused": True})
    first = decide(serving(ads), Ticked(), spec, at(61))
    second = decide(first.state, Ticked(), spec, at(62))
    assert [d.reason for d in of(first, Defer)] == ["The loop is paused."]
    assert of(first, OpenRetraining) + of(second, OpenRetraining) + of(second, Defer) == []


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["tick", "shift", "fault", "both", "quiet", "old", "promote", "hold", "failed"]
        ),
        # Days until the next one; a clock that is set jumps back or ahead.
        st.one_of(st.floats(min_value=0.05, max_value=3), st.floats(min_value=-30, max_value=30)),
    ),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_no_sequence_of_events_breaks_the_limits(ads: LearningLoop, sequence) -> None:
    policy = ads.spec.retrain
    state, now, numbers, starts, causes = serving(ads), 0.0, [1], [0.0], 0
    for name, wait in sequence:
        now += wait
        event = _event(name, now, state)
        decision = decide(state, event, ads.spec, at(now))
        assert decide(state, event, ads.spec, at(now)) == decision
        for action in of(decision, OpenRetraining):
            assert state.running == 0 or isinstance(event, RetrainingEnded)
            assert action.number == numbers[-1] + 1
            assert all(cause.ready_at <= at(now) for cause in action.causes)
            assert now - starts[-1] >= policy.cooldown / DAY - 1e-9
            assert state.unpromoted < policy.breaker
            numbers.append(action.number)
            starts.append(now)
        assert len(of(decision, OpenRetraining)) <= 1
        assert len(of(decision, Promote)) <= (name == "promote")
        opened = sum(len(a.causes) for a in of(decision, OpenRetraining))
        superseded = sum("Superseded" in reason for reason in decision.reasons)
        # A cause is never lost: it waits, was opened, or is said to be superseded.
        assert len(decision.state.waiting) >= len(state.waiting) - opened - superseded
        if name == "fault":
            assert len(decision.state.waiting) + opened <= len(state.waiting)
        causes += opened
        state = decision.state
    assert len(numbers) - 1 <= causes or causes == 0


def _event(name: str, now: float, state: State) -> decisions.Event:
    if name in ("promote", "hold", "failed"):
        return RetrainingEnded(state.running, name, f"v{state.running}", at(now - 1))
    if name == "tick":
        return Ticked()
    shifts = "a" if name in ("shift", "both", "old") else ""
    faults = "b" if name in ("fault", "both") else ""
    bundle = "older" if name == "old" else state.champion
    return window(now - 1, bundle, shifts, faults)
