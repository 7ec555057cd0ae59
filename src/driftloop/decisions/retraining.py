"""Retraining: when one opens for the causes that wait, and what follows from its end."""

from __future__ import annotations

from datetime import datetime, timedelta

from driftloop.decisions.action import Action, Alert, Decision, Defer, OpenRetraining, Promote
from driftloop.decisions.event import RetrainingEnded
from driftloop.loop import LoopSpec
from driftloop.quantities import show_duration
from driftloop.state import Cause, State

DAY = timedelta(days=1)


def ended(state: State, event: RetrainingEnded, spec: LoopSpec) -> Decision:
    """Promote, or count a retraining that promoted nothing."""
    if not state.running or event.number != state.running:
        return Decision(state, reasons=(f"Retraining {event.number} is not the running one.",))
    idle = state.model_copy(update={"running": 0, "running_onset": None})
    if event.verdict == "promote":
        return _promoted(idle, state, event, spec)
    count = state.unpromoted + 1
    reason = f"The gate said {event.verdict}; {state.champion or 'no model'} stays in service."
    alerts: tuple[Action, ...] = ()
    if count == spec.retrain.breaker:
        alerts = (Alert("breaker", f"{count} retrainings in a row promoted nothing."),)
    return Decision(idle.model_copy(update={"unpromoted": count}), alerts, (reason,))


def _promoted(idle: State, before: State, event: RetrainingEnded, spec: LoopSpec) -> Decision:
    covered = [c for c in idle.waiting if event.data_end and c.until <= event.data_end]
    update = {
        "champion": event.version,
        "data_end": event.data_end,
        "onset": before.running_onset,
        "fresh": _fresh(before.running_onset, before.started[-1], spec),
        "waiting": tuple(cause for cause in idle.waiting if cause not in covered),
        "matured": None,
        "unpromoted": 0,
    }
    reasons = [f"{event.version} passed the gate."]
    reasons += [f"Superseded: {cause.evidence[0]}" for cause in covered]
    action = Promote(event.version, event.number)
    return Decision(idle.model_copy(update=update), (action,), tuple(reasons))


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
