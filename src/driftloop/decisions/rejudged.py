"""Rejudged: what the gate held for want of rows is judged again on those that came since.

Its model is there and the rows come by themselves, so neither a retraining nor a person is needed.
Nobody is answered by it meanwhile and retrainings go on. What they promote ends the wait; another
hold does not, for the rows that the first waits for are nearly there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from driftloop.decisions import promotion, rollout
from driftloop.decisions.action import Decision
from driftloop.decisions.event import ShadowJudged
from driftloop.loop import LoopSpec
from driftloop.quantities import show_duration
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.state import State

MOST = 500_000
"""Rows that a job has room for; what takes more is left to a person or the next retraining."""
INSTANT = timedelta(microseconds=1)
"""The least between two times; all rows of one request share one."""


def kept(state: State, passed: Passed, cause: str, needed: int) -> Decision:
    """Keep what the gate held: a person may approve it, or ``needed`` later rows tell.

    ``cause``: what the gate judged by. Rows count from after the last that the bundle came of:
    neither training nor the gate has seen those.
    """
    if passed.version in state.blocked:
        return Decision(state)
    update: dict[str, Passed | Progress] = {"held": passed}
    is_free = state.again is None
    instead = f", no longer {state.held.version}" if state.held else ""
    said: tuple[str, ...] = (f"A person may approve {passed.version}{instead}.",)
    if is_free and 0 < needed <= MOST and state.champion and passed.data_end:
        owed, since = passed.model_copy(update={"cause": cause}), passed.data_end + INSTANT
        update["again"] = Progress(
            passed=owed, stable=state.champion, since=since, shadow=True, requests=needed
        )
        said += (f"The gate judges it again on {needed} rows of later than its data.",)
    return Decision(state.model_copy(update=update), reasons=said)


def judged(state: State, event: ShadowJudged, spec: LoopSpec, now: datetime) -> Decision:
    """Do what the gate says of it now: into service as any other, away for good, or wait on."""
    known = state.again
    if known is None or not known.awaits(event.version, event.step):
        return Decision(state)
    is_held = state.held is not None and state.held.version == known.version
    over = state.model_copy(update={"again": None, "held": None if is_held else state.held})
    if event.verdict == "promote":
        said, passed = Decision(over, reasons=event.reasons), _seen(known.passed, event)
        return said.then(lambda s: rollout.begun(s, passed, spec, now, seen_since=True))
    if event.verdict == "reject":
        return Decision(promotion.blocked(over, known.version), reasons=event.reasons)
    again = known.waiting(event.needed) if event.needed <= MOST else None
    return Decision(state.model_copy(update={"again": again}), reasons=event.reasons)


def _seen(passed: Passed, event: ShadowJudged) -> Passed:
    """Return what passed now, with its mean prediction as it was on the rows of now."""
    return passed.model_copy(update={"predicted": event.predicted, "cause": ""})


def aged(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Give up what is twice as old as a model's data may be; a person may approve it still."""
    known, oldest = state.again, 2 * spec.retrain.max_age
    if known is None or now - known.since <= oldest:
        return Decision(state)
    said = f"{known.version} is not judged again: its data are older than {show_duration(oldest)}."
    return Decision(state.model_copy(update={"again": None}), reasons=(said,))
