"""Orders: what a person wrote into the loop's spec, obeyed once."""

from __future__ import annotations

from collections.abc import Callable

from driftloop.decisions import rollout
from driftloop.decisions.action import Decision
from driftloop.loop import LoopSpec
from driftloop.state import Obeyed, State

RULES: dict[str, Callable[[State, str], Decision]] = {
    "resume": rollout.resumed,
    "approve": rollout.approved,
    "rollback": rollout.rolled_back,
}
"""By the order's name, in the order in which they are obeyed when there are several."""


def obeyed(state: State, spec: LoopSpec) -> Decision:
    """Do what is ordered and was not yet done."""
    decision, wanted = Decision(state), spec.orders.model_dump()
    for name, rule in RULES.items():
        if wanted[name] and wanted[name] != getattr(state.obeyed, name):
            word = wanted[name].split()[0] if wanted[name].split() else ""
            decision = decision.then(lambda s, rule=rule, word=word: rule(s, word))  # type: ignore[misc]
    done = Obeyed(**wanted)
    if done == state.obeyed:
        return decision
    return decision.then(lambda s: Decision(s.model_copy(update={"obeyed": done})))
