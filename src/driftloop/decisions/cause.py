"""Cause: why a retraining should run that no window asks for: a beginning, age, growth."""

from __future__ import annotations

from datetime import datetime

from driftloop.decisions.action import Alert, Decision
from driftloop.loop import LoopSpec
from driftloop.quantities import show_duration
from driftloop.state import Cause, Kind, State


def begun(state: State, now: datetime) -> Decision:
    """Ask for the first model of a loop that has none."""
    if state.champion or state.running or _waits(state, "initial"):
        return Decision(state)
    return _ask(state, _now("initial", now, "The loop has no model yet."))


def _ask(state: State, cause: Cause) -> Decision:
    waiting = (*state.waiting, cause)
    return Decision(state.model_copy(update={"waiting": waiting}), reasons=cause.evidence)


def aged(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Ask for a retraining when the champion's newest row is older than the charter allows."""
    since = max([end for end in (state.data_end, *state.started) if end], default=None)
    if since is None or now - since <= spec.retrain.max_age or _waits(state, "staleness"):
        return Decision(state)
    text = f"The model's data are older than {show_duration(spec.retrain.max_age)}."
    if spec.retrain.on_staleness == "alert":
        return Decision(state, (Alert("staleness", text),), (text,))
    return _ask(state, _now("staleness", now, text))


def grown(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Ask once more when data since the last change have grown ``retrain.growth`` times."""
    if not state.onset or not spec.retrain.growth or not state.fresh or _waits(state, "growth"):
        return Decision(state)
    fresh = now - spec.data.label_maturity - state.onset
    if fresh < state.fresh * spec.retrain.growth:
        return Decision(state)
    text = (
        f"Labelled data since the change of {state.onset:%Y-%m-%d} have grown from "
        f"{show_duration(state.fresh)} to {show_duration(fresh)}."
    )
    return _ask(state, _now("growth", now, text))


def _now(kind: Kind, now: datetime, text: str) -> Cause:
    return Cause(kind=kind, until=now, ready_at=now, evidence=(text,))


def _waits(state: State, kind: Kind) -> bool:
    return any(cause.kind == kind for cause in state.waiting)
