"""Retraining: when one opens for the causes that wait, and what follows from its end."""

from __future__ import annotations

from datetime import datetime, timedelta

from driftloop.decisions import promotion, rejudged, rollout
from driftloop.decisions.action import Decision, Defer, OpenRetraining
from driftloop.decisions.event import RetrainingEnded
from driftloop.loop import LoopSpec
from driftloop.quantities import show_duration
from driftloop.rollout.passed import Passed
from driftloop.state import Cause, State

DAY = timedelta(days=1)


def ended(state: State, event: RetrainingEnded, spec: LoopSpec, now: datetime) -> Decision:
    """Roll out what passed the gate, keep what it held, or count what promoted nothing."""
    if not state.running or event.number != state.running:
        return Decision(state, reasons=(f"Retraining {event.number} is not the running one.",))
    idle = state.model_copy(update={"running": 0, "running_onset": None, "running_champion": ""})
    if event.verdict == "promote" and not _is_beside_champion(state):
        reason = (
            f"{event.version} was judged against {state.running_champion}, no longer in service."
        )
        return promotion.unpromoted(idle, spec, reason)
    if event.verdict == "promote":
        return rollout.begun(idle, _passed(state, event, spec), spec, now)
    stays = f"{state.champion or 'no model'} stays in service"
    decision = promotion.unpromoted(idle, spec, f"The gate said {event.verdict}; {stays}.")
    if event.verdict != "hold" or not event.version:
        return decision
    passed = _passed(state, event, spec)
    return decision.then(lambda s: rejudged.kept(s, passed, event.cause, event.needed))


def _is_beside_champion(state: State) -> bool:
    """Return whether the running retraining's candidate is compared with what serves now."""
    return state.running_champion in ("", state.champion)


def _passed(before: State, event: RetrainingEnded, spec: LoopSpec) -> Passed:
    told = event.predicted if _is_beside_champion(before) else None
    return Passed(
        version=event.version,
        retraining=event.number,
        data_end=event.data_end,
        onset=before.running_onset,
        fresh=_fresh(before.running_onset, before.started[-1], spec),
        predicted=1.0 if told is None else told,
    )


def advance(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Open a retraining for the causes that are ready, or say what holds them back."""
    ready = tuple(cause for cause in state.waiting if cause.ready_at <= now)
    if not ready or state.running:
        return Decision(state)
    obstacle = _obstacle(state, spec, now)
    if obstacle:
        fresh = tuple(c for c in ready if f"{c.evidence[0]} {obstacle}" not in state.told)
        told = tuple(f"{c.evidence[0]} {obstacle}" for c in ready)
        actions = tuple(Defer(cause, obstacle) for cause in fresh)
        reasons = (obstacle,) if fresh else ()
        return Decision(state.model_copy(update={"told": told}), actions, reasons)
    return _open(state, ready, spec, now)


def _obstacle(state: State, spec: LoopSpec, now: datetime) -> str:
    """Return why no retraining may open now, or nothing."""
    policy = spec.retrain
    if spec.paused:
        return "The loop is paused."
    if state.rollout:
        return f"{state.rollout.version} is on its way into service."
    if state.unpromoted >= policy.breaker:
        return f"{state.unpromoted} retrainings in a row promoted nothing; a person must decide."
    if state.champion and state.started and now - state.started[-1] < policy.cooldown:
        return f"The cooldown of {show_duration(policy.cooldown)} is not over."
    if sum(now - start < DAY for start in state.started) >= policy.daily_budget:
        return f"The budget of {policy.daily_budget} a day is used up."
    return ""


def _open(state: State, causes: tuple[Cause, ...], spec: LoopSpec, now: datetime) -> Decision:
    number = state.number + 1
    onset = max((c.onset for c in causes if c.onset), default=state.onset)
    # A try that is not promoted counts for growth only where it was about the same change.
    fresh = _fresh(onset, now, spec) if onset == state.onset else state.fresh
    horizon = now - spec.training.window
    quarantine = tuple(i for i in state.quarantine if i.end > horizon)
    update = {
        "number": number,
        "running": number,
        "running_onset": onset,
        "running_champion": state.champion,
        "fresh": fresh,
        "waiting": tuple(cause for cause in state.waiting if cause not in causes),
        "started": (*state.started, now)[-spec.retrain.daily_budget :],
        "quarantine": quarantine,
        "told": (),
    }
    action = OpenRetraining(number, causes, onset, state.champion, quarantine)
    kinds = ", ".join(dict.fromkeys(cause.kind for cause in causes))
    reason = f"Retraining {number} opens for: {kinds}."
    return Decision(state.model_copy(update=update), (action,), (reason,))


def _fresh(onset: datetime | None, now: datetime, spec: LoopSpec) -> timedelta:
    """Return how much labelled time a model trained at ``now`` has seen since ``onset``."""
    return now - spec.data.label_maturity - onset if onset else timedelta(0)
