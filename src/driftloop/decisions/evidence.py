"""Evidence: what windows show, and what drift leads to: causes, alerts and quarantine."""

from __future__ import annotations

from datetime import datetime

from driftloop.decisions.action import Alert, Decision
from driftloop.decisions.event import WindowJudged
from driftloop.drift.pool import Cell
from driftloop.loop import LoopSpec
from driftloop.state import Cause, Interval, State
from driftloop_contracts.drift.finding import ANSWERS

OWN_ROLLOUT = "what it shows and decides may have caused this."
MAX_MOVED = 16
"""Most intervals remembered in which inputs shifted; older ones are before any outcome to come."""
MAX_QUARANTINE = 64
"""Most quarantined intervals remembered; older ones have left every training window."""


def counted(state: State, cell: Cell) -> Decision:
    """Take one replica's part."""
    return Decision(state.model_copy(update={"pools": state.pools.put(cell, state.champion)}))


def pooled(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Judge the windows that all replicas had time to tell of."""
    pools, found = state.pools.judged(spec.drift, now)
    changed = pools != state.pools
    decision = Decision(state.model_copy(update={"pools": pools}) if changed else state)
    for event in map(WindowJudged.of, found):
        decision = decision.then(lambda s, event=event: judged(s, event, spec))  # type: ignore[misc]
    return decision


def judged(state: State, event: WindowJudged, spec: LoopSpec) -> Decision:
    """Tell of what broke, and take what shifted as a cause."""
    if event.bundle == state.champion and not (event.shifts or event.faults) and not state.alike:
        state = state.model_copy(update={"alike": True})
    return _faulted(state, event).then(lambda s: _drifted(s, event, spec))


def _faulted(state: State, event: WindowJudged) -> Decision:
    """Tell of features that broke just now; keep every broken window out of training."""
    if not event.faults and event.bundle != state.champion:
        return Decision(state)
    if not event.faults:
        ended = [f"{name} is whole again." for name in state.faults]
        return Decision(state.model_copy(update={"faults": ()}), reasons=tuple(ended))
    # Predictions are no input: where only they are broken the rows are as good as ever.
    upstream = event.faults.keys() - ANSWERS
    quarantine = _quarantined(state, event) if upstream else state.quarantine
    update = {"faults": tuple(sorted(event.faults)), "quarantine": quarantine}
    fresh = {name: why for name, why in event.faults.items() if name not in state.faults}
    reasons = tuple(_broken(name, why) for name, why in fresh.items())
    follows = "Its rows are quarantined; no" if upstream else "No"
    text = f"{' '.join(reasons)} {follows} retraining follows from it."
    alerts = (Alert("data_fault", text, tuple(fresh)),) if fresh else ()
    return Decision(state.model_copy(update=update), alerts, reasons)


def _broken(name: str, why: str) -> str:
    where = "in the predictor" if name in ANSWERS else "upstream"
    return f"{name} is broken {where}: {why}."


def _quarantined(state: State, event: WindowJudged) -> tuple[Interval, ...]:
    """Return the quarantine with the event's window."""
    return _with_interval(state.quarantine, event.start, event.end)[-MAX_QUARANTINE:]


def _with_interval(
    known: tuple[Interval, ...], start: datetime, end: datetime
) -> tuple[Interval, ...]:
    """Return the intervals with one more; neighbours become one interval."""
    others = []
    for one in known:
        if one.start <= end and start <= one.end:
            start, end = min(start, one.start), max(end, one.end)
        else:
            others.append(one)
    return (*others, Interval(start=start, end=end))


def _drifted(state: State, event: WindowJudged, spec: LoopSpec) -> Decision:
    shifts = {name: why for name, why in event.shifts.items() if name not in event.faults}
    if not shifts:
        return Decision(state)
    text = "; ".join(f"{name} shifted: {why}" for name, why in shifts.items())
    text = f"{event.start:%Y-%m-%d %H:%M}: {text}."
    if event.bundle != state.champion:
        return Decision(state, reasons=(f"Of {event.bundle}, which is not the champion: {text}",))
    moved = _with_interval(state.moved, event.start, event.end)[-MAX_MOVED:]
    state = state.model_copy(update={"moved": moved})
    span = Interval(start=event.start, end=event.end)
    return drifted(state, span, text, tuple(shifts), "data_drift", spec)


def drifted(
    state: State, span: Interval, text: str, names: tuple[str, ...], rule: str, spec: LoopSpec
) -> Decision:
    """Take drift of the champion in ``span`` as a cause, or tell a person of it.

    ``text``: the evidence; ``names``: of what shifted; ``rule``: data_drift or concept_drift.
    """
    if state.before and state.alike is False:
        text += f" No window was like the reference since {state.champion} took over: {OWN_ROLLOUT}"
    if spec.retrain.on_drift == "alert":
        return Decision(state, (Alert("drift", text, names),), (text,))
    known = next((cause for cause in state.waiting if cause.kind == "drift"), None)
    others = tuple(cause for cause in state.waiting if cause is not known)
    cause = _evidenced(known, span, text, rule, spec)
    waiting = state.model_copy(update={"waiting": (*others, cause)})
    return Decision(waiting, reasons=(text,))


def _evidenced(known: Cause | None, span: Interval, text: str, rule: str, spec: LoopSpec) -> Cause:
    """Return the drift cause with more evidence, whichever order it arrives in."""
    onset = min(span.start, known.onset) if known and known.onset else span.start
    evidence, rules = (known.evidence, known.rules) if known else ((), ())
    # What waits from before rules were noted is drift of the inputs.
    unknown = ("data_drift",) * (len(evidence) - len(rules))
    return Cause(
        kind="drift",
        onset=onset,
        until=max(span.end, known.until) if known else span.end,
        ready_at=onset + spec.retrain.collect + spec.data.label_maturity,
        evidence=(*evidence, text),
        rules=(*unknown, *rules, rule),
    )
