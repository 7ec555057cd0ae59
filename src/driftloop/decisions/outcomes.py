"""Outcomes: concept drift, of all the champion's traffic or of a slice, told from data drift."""

from __future__ import annotations

from driftloop.decisions import evidence
from driftloop.decisions.action import Decision
from driftloop.decisions.event import CohortMatured
from driftloop.drift.matured import Followed, Matured
from driftloop.drift.slices import MOST
from driftloop.loop import LoopSpec
from driftloop.state import Interval, State
from driftloop_contracts.drift.finding import OUTCOMES_NAME

NAMED = 4
"""Findings that a reason names: of all traffic, then those of the largest effect."""


def followed(state: State, told: CohortMatured, spec: LoopSpec) -> Decision:
    """Judge the champion's mature records once they are enough: all, and each slice.

    Those of a time when a feature was broken tell of the feature.
    """
    parts = [*([told.part] if told.part else []), *told.slices]
    fresh = [one for one in parts if one.bundle == state.champion and not _broken(state, one)]
    if not fresh:
        return Decision(state)
    known = {one.slice: one for one in (*([state.matured] if state.matured else []), *state.slices)}
    grown = known | {o.slice: known[o.slice] + o if o.slice in known else o for o in fresh}
    complete = [one for one in grown.values() if one.is_complete(spec.drift)]
    left = [one for one in grown.values() if one not in complete]
    update = {
        "matured": next((one for one in left if not one.slice), None),
        "slices": tuple(one for one in left if one.slice)[:MOST],
    }
    judged = [one.judge(spec.drift) for one in complete]
    return _found(state.model_copy(update=update), judged, spec)


def _found(state: State, judged: list[Followed], spec: LoopSpec) -> Decision:
    shifted = [one for one in judged if one.shifts]
    if not shifted:
        return Decision(state, reasons=_held(state, judged))
    # All traffic first, then the slices by their effect.
    ordered = sorted(shifted, key=lambda one: (one.part.slice != "", -one.effect))
    shown = [one.sentence(_moved(state, one.part)) for one in ordered[:NAMED]]
    more = len(ordered) - len(shown)
    said = "; ".join([*shown, *([f"and {more} more slices"] if more else [])])
    span = Interval(
        start=min(one.part.start for one in shifted), end=max(one.part.end for one in shifted)
    )
    text = f"{span.start:%Y-%m-%d %H:%M}: {said}."
    return evidence.drifted(state, span, text, (OUTCOMES_NAME,), "concept_drift", spec)


def _held(state: State, judged: list[Followed]) -> tuple[str, ...]:
    """Return what to say of outcomes that follow the predictions, where the inputs moved."""
    whole = next((one for one in judged if not one.part.slice), None)
    if whole is None or not whole.part.rows or not _moved(state, whole.part):
        return ()
    return (f"{whole.part.start:%Y-%m-%d %H:%M}: {whole.held()}.",)


def _broken(state: State, part: Matured) -> bool:
    return any(i.start <= part.end and part.start < i.end for i in state.quarantine)


def _moved(state: State, part: Matured) -> bool:
    return any(i.start <= part.end and part.start < i.end for i in state.moved)
