"""Evidence: what windows and mature records show, as causes, alerts and quarantine."""

from __future__ import annotations

from datetime import datetime

from driftloop.decisions.action import Alert, Decision
from driftloop.decisions.event import WindowJudged
from driftloop.drift.matured import Matured
from driftloop.drift.pool import Cell
from driftloop.loop import LoopSpec
from driftloop.state import Cause, Interval, State
from driftloop_contracts.drift.finding import OUTCOMES_NAME, PREDICTION_NAME

OWN_ROLLOUT = "what it shows and decides may have caused this."
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


def followed(state: State, part: Matured, spec: LoopSpec) -> Decision:
    """Judge the champion's mature records once they are enough.

    Those of a time when a feature was broken tell of the feature.
    """
    broken = any(i.start <= part.end and part.start < i.end for i in state.quarantine)
    if part.bundle != state.champion or broken:
        return Decision(state)
    grown = state.matured + part if state.matured else part
    if not grown.is_complete(spec.drift):
        return Decision(state.model_copy(update={"matured": grown}))
    why = grown.shift(spec.drift)
    shifts = {OUTCOMES_NAME: why} if why else {}
    event = WindowJudged(grown.bundle, grown.start, grown.end, shifts, {})
    return _drifted(state.model_copy(update={"matured": None}), event, spec)


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
    upstream = event.faults.keys() - {PREDICTION_NAME}
    quarantine = _quarantined(state, event) if upstream else state.quarantine
    update = {"faults": tuple(sorted(event.faults)), "quarantine": quarantine}
    fresh = {name: why for name, why in event.faults.items() if name not in state.faults}
    reasons = tuple(_broken(name, why) for name, why in fresh.items())
    follows = "Its rows are quarantined; no" if upstream else "No"
    text = f"{' '.join(reasons)} {follows} retraining follows from it."
    alerts = (Alert("data_fault", text, tuple(fresh)),) if fresh else ()
    return Decision(state.model_copy(update=update), alerts, reasons)


def _broken(name: str, why: str) -> str:
    where = "in the predictor" if name == PREDICTION_NAME else "upstream"
    return f"{name} is broken {where}: {why}."


def _quarantined(state: State, event: WindowJudged) -> tuple[Interval, ...]:
    """Return the quarantine with the event's window; neighbours become one interval."""
    start, end, others = event.start, event.end, []
    for known in state.quarantine:
        if known.start <= end and start <= known.end:
            start, end = min(start, known.start), max(end, known.end)
        else:
            others.append(known)
    return (*others, Interval(start=start, end=end))[-MAX_QUARANTINE:]


def _drifted(state: State, event: WindowJudged, spec: LoopSpec) -> Decision:
    shifts = {name: why for name, why in event.shifts.items() if name not in event.faults}
    if not shifts:
        return Decision(state)
    text = "; ".join(f"{name} shifted: {why}" for name, why in shifts.items())
    text = f"{event.start:%Y-%m-%d %H:%M}: {text}."
    if event.bundle != state.champion:
        return Decision(state, reasons=(f"Of {event.bundle}, which is not the champion: {text}",))
    if state.before and state.alike is False:
        text += f" No window was like the reference since {state.champion} took over: {OWN_ROLLOUT}"
    if spec.retrain.on_drift == "alert":
        return Decision(state, (Alert("drift", text, tuple(shifts)),), (text,))
    known = next((cause for cause in state.waiting if cause.kind == "drift"), None)
    others = tuple(cause for cause in state.waiting if cause is not known)
    cause = _evidenced(known, event, text, spec)
    waiting = state.model_copy(update={"waiting": (*others, cause)})
    return Decision(waiting, reasons=(text,))


def _evidenced(known: Cause | None, event: WindowJudged, text: str, spec: LoopSpec) -> Cause:
    """Return the drift cause with one more window, whichever order windows arrive in."""
    onset = min(event.start, known.onset) if known and known.onset else event.start
    return Cause(
        kind="drift",
        onset=onset,
        until=max(event.end, known.until) if known else event.end,
        ready_at=onset + spec.retrain.collect + spec.data.label_maturity,
        evidence=(*(known.evidence if known else ()), text),
    )
