"""Promotion: a bundle becomes the champion, or one of the past does so again."""

from __future__ import annotations

from driftloop.decisions.action import Alert, Decision, Promote
from driftloop.loop import LoopSpec
from driftloop.rollout.passed import Passed
from driftloop.state import State

MAX_BEFORE = 20
"""Champions of the past that are remembered."""
MAX_BLOCKED = 50
"""Versions remembered that do not come again."""


def promoted(state: State, passed: Passed, reason: str) -> Decision:
    """Make a bundle the champion; causes that its data cover are superseded."""
    covered = [c for c in state.waiting if passed.data_end and c.until <= passed.data_end]
    update = {
        "champion": passed.version,
        "data_end": passed.data_end,
        "onset": passed.onset,
        "fresh": passed.fresh,
        "waiting": tuple(cause for cause in state.waiting if cause not in covered),
        "matured": None,
        "slices": (),
        "moved": (),
        "alike": False,
        "unpromoted": 0,
        "held": None,
        "again": None,
        "before": _before(state),
    }
    reasons = (reason, *(f"Superseded: {cause.evidence[0]}" for cause in covered))
    action = Promote(passed.version, passed.retraining)
    return Decision(state.model_copy(update=update), (action,), reasons)


def unpromoted(state: State, spec: LoopSpec, reason: str) -> Decision:
    """Count a retraining that promoted nothing; tell a person when they are too many."""
    count = state.unpromoted + 1
    text = f"{count} retrainings in a row promoted nothing."
    alerts = (Alert("breaker", text),) if count == spec.retrain.breaker else ()
    return Decision(state.model_copy(update={"unpromoted": count}), alerts, (reason,))


def blocked(state: State, version: str) -> State:
    """Return the state in which a version does not come again."""
    kept = tuple(one for one in state.blocked if one != version)
    return state.model_copy(update={"blocked": (*kept, version)[-MAX_BLOCKED:]})


def _before(state: State) -> tuple[str, ...]:
    if not state.champion:
        return state.before
    kept = tuple(one for one in state.before if one != state.champion)
    return (*kept, state.champion)[-MAX_BEFORE:]
