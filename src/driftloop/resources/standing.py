"""Standing: what `kubectl get loops` says of a loop, from its state."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from driftloop.resources import conditions
from driftloop.resources.conditions import Condition
from driftloop.state import State
from driftloop_contracts import times

LONGEST = 1000
"""Longest reason that a status repeats, in characters."""


def of(state: State, known: dict[str, Any], now: datetime, generation: int) -> dict[str, Any]:
    """Return the part of the status that follows from ``state``; ``known`` is the status so far.

    >>> of(State(), {}, datetime.fromisoformat("2026-01-01T00:00:00Z"), 1)["stage"]
    'Scoped'
    """
    before = known.get("conditions", [])
    standing: dict[str, Any] = {
        "stage": _stage(state),
        "champion": state.champion,
        "candidate": _candidate(state),
        "drift": _drift(state),
        "conditions": conditions.merged(before, _conditions(state), now, generation),
        "observedGeneration": generation,
    }
    if state.started:
        standing["lastRetraining"] = times.to_text(state.started[-1])
    return standing


def returned(content: dict[str, Any]) -> dict[str, Any]:
    """Return a stage's return as a status shows it; ``content``: of the action that tells it.

    >>> data = {"from": "monitoring", "to": "scoping", "rule": "x", "reason": "y", "retraining": ""}
    >>> returned({"data": data, "decided": "2026-01-01T00:00:00Z"})["to"]
    'scoping'
    """
    data = content["data"]
    about = {"retraining": str(data["retraining"])} if data.get("retraining") else {}
    return {"time": content["decided"]} | shortened(data) | about


def shortened(data: dict[str, Any]) -> dict[str, str]:
    """Return a stage's return with a reason that an object's status has room for."""
    return {name: str(data[name])[:LONGEST] for name in ("from", "to", "rule", "reason")}


def _candidate(state: State) -> str:
    if state.rollout:
        return state.rollout.version
    return f"{state.number}" if state.running else ""


def _stage(state: State) -> str:
    if state.rollout:
        return "RollingOut"
    if state.running:
        return "Retraining" if state.champion else "Training"
    return "Serving" if state.champion else "Scoped"


def _drift(state: State) -> str:
    if state.faults:
        return f"broken: {', '.join(state.faults)}"
    waiting = [cause.kind for cause in state.waiting]
    return f"waiting: {', '.join(waiting)}" if waiting else "none"


def _held(state: State) -> Condition:
    """Return which bundle may be approved, and whether later rows may tell of it."""
    named = [one.version for one in (state.again, state.held) if one]
    if not named:
        return Condition("Held", False, "NothingHeld")
    said = f"{' or '.join(dict.fromkeys(named))} may be approved."
    if not state.again:
        return Condition("Held", True, "AwaitsApproval", said)
    told = f"{said} {state.again.version} is judged again on {state.again.requests} later rows."
    return Condition("Held", True, "AwaitsRows", told)


def _conditions(state: State) -> list[Condition]:
    running = f"Retraining {state.number} runs." if state.running else ""
    broken = f"Broken upstream: {', '.join(state.faults)}." if state.faults else ""
    return [
        _held(state),
        Condition("Promoted", bool(state.champion), "Champion" if state.champion else "NoBundle"),
        Condition("Retraining", bool(state.running), "Running" if running else "Idle", running),
        Condition("DataSound", not state.faults, "Broken" if broken else "Sound", broken),
    ]
