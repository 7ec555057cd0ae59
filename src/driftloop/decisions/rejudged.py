"""Rejudged: what the gate held for want of rows is judged again on those that came since.

Its model is there and the rows come by themselves, so neither a retraining nor a person is needed.
Nobody is answered by it meanwhile and retrainings go on: the next one that opens ends the wait.
"""

from __future__ import annotations

from datetime import datetime

from driftloop.decisions import promotion, rollout
from driftloop.decisions.action import Decision
from driftloop.decisions.event import ShadowJudged
from driftloop.loop import LoopSpec
from driftloop.quantities import show_duration
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.state import State


def kept(state: State, passed: Passed, cause: str, needed: int) -> Decision:
    """Keep what the gate held: a person may approve it, or ``needed`` later rows tell.

    ``cause``: what the gate judged by. Rows count from the end of the bundle's data on: neither
    training nor the gate has seen those.
    """
    if passed.version in state.blocked:
        return Decision(state)
    update: dict[str, Passed | Progress] = {"held": passed}
    said: tuple[str, ...] = (f"A person may approve {passed.version}.",)
    if needed and state.champion and passed.data_end:
        owed = passed.model_copy(update={"cause": cause})
        update["again"] = Progress(
            passed=owed, stable=state.champion, since=passed.data_end, shadow=True, requests=needed
        )
        said += (f"The gate judges it again on {needed} rows of later than its data.",)
    return Decision(state.model_copy(update=update), reasons=said)


def judged(state: State, event: ShadowJudged, spec: LoopSpec, now: datetime) -> Decision:
    """Do what the gate says of it now: into service as any other, away for good, or wait on."""
    known = state.again
    if known is None or event.version != known.version or event.step not in (None, known.step):
        return Decision(state)
    over = state.model_copy(update={"again": None, "held": None})
    if event.verdict == "promote":
        said = Decision(over, reasons=event.reasons)
        return said.then(lambda s: rollout.begun(s, known.passed, spec, now, seen_since=True))
    if event.verdict == "reject":
        return Decision(promotion.blocked(over, known.version), reasons=event.reasons)
    update = {"again": known.waiting(event.needed)}
    return Decision(state.model_copy(update=update), reasons=event.reasons)


def aged(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Give up what is older than the charter lets the data of a model be."""
    known, oldest = state.again, spec.retrain.max_age
    if known is None or now - known.since <= oldest:
        return Decision(state)
    said = f"{known.version} is not judged again: its data are older than {show_duration(oldest)}."
    return Decision(state.model_copy(update={"again": None, "held": None}), reasons=(said,))
