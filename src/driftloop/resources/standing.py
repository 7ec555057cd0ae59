"""Standing: what `kubectl get loops` says of a loop, from its state."""

from __future__ import annotations

from typing import Any

from driftloop.state import State
from driftloop_contracts import times


def of(state: State) -> dict[str, Any]:
    """Return the part of the status that follows from ``state`` alone.

    >>> of(State())["stage"]
    'Scoped'
    """
    standing: dict[str, Any] = {
        "stage": _stage(state),
        "champion": state.champion,
        "candidate": f"{state.number}" if state.running else "",
        "drift": _drift(state),
    }
    if state.started:
        standing["lastRetraining"] = times.to_text(state.started[-1])
    return standing


def _stage(state: State) -> str:
    if state.running:
        return "Retraining" if state.champion else "Training"
    return "Serving" if state.champion else "Scoped"


def _drift(state: State) -> str:
    if state.faults:
        return f"broken: {', '.join(state.faults)}"
    waiting = [cause.kind for cause in state.waiting]
    return f"waiting: {', '.join(waiting)}" if waiting else "none"
