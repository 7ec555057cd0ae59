"""Decisions: (state, event, spec, now) -> (state, actions, reasons). Pure.

Nothing here reads a clock, a store or a cluster; the same arguments always give the same
answer, so 30 days replay in seconds and every rule below is tested as it stands.

Rules
- A window that shifted asks for a retraining, ready once ``retrain.collect`` of labelled rows
  from its start on exist. Further windows of the same change append to that cause.
- A broken feature is no drift: a person is told once, the window's rows are quarantined.
- One retraining at a time; ``cooldown`` and ``dailyBudget`` bound them; after ``breaker`` in a
  row without a promotion nothing opens until a person steps in.
- Outcomes that no longer follow the champion's predictions are drift as well.
- At a promotion, causes whose evidence ends before the new bundle's data end are superseded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from driftloop.drift import wording
from driftloop.drift.matured import Matured
from driftloop.drift.pool import Cell, Judgement
from driftloop.loop import LoopSpec
from driftloop.quantities import show_duration
from driftloop.state import Cause, Interval, Kind, State
from driftloop_contracts.drift.finding import JOINT_NAME, OUTCOMES_NAME, PREDICTION_NAME

DAY = timedelta(days=1)
MAX_QUARANTINE = 64
"""Most quarantined intervals remembered; older ones have left every training window."""


@dataclass(frozen=True)
class Started:
    """The loop has no model, and enough history for a first one; said twice it is one wish."""


@dataclass(frozen=True)
class Ticked:
    """Time passed; nothing else happened."""


@dataclass(frozen=True)
class WindowJudged:
    """A sidecar compared one window with its bundle's reference.

    ``shifts`` and ``faults`` map a feature to a sentence's worth of evidence.
    """

    bundle: str
    start: datetime
    end: datetime
    shifts: dict[str, str]
    faults: dict[str, str]

    @classmethod
    def of(cls, found: Judgement) -> WindowJudged:
        """Return the judgement on a window of the whole loop, strongest shift first."""
        strongest = sorted(found.findings, key=lambda f: -f.strength)
        shifts = {f.name: wording.shift(f.to_data()) for f in strongest if f.shift}
        faults = {f.name: wording.fault(f.to_data()) for f in found.findings if f.fault}
        # A classifier tells a broken feature apart first of all, and a broken feature is no drift.
        if found.joint and found.is_joint and not faults.keys() - {PREDICTION_NAME}:
            shifts |= {JOINT_NAME: wording.joint(found.joint.effect, found.joint.threshold)}
        return cls(found.window.bundle, found.window.start, found.window.end, shifts, faults)


@dataclass(frozen=True)
class RetrainingEnded:
    """A pipeline run ended: ``verdict`` promote, hold, reject or failed."""

    number: int
    verdict: str
    version: str = ""
    data_end: datetime | None = None


@dataclass(frozen=True)
class CellScored:
    """One of a loop's sidecars counted one cell; several together are judged as the loop's."""

    cell: Cell


@dataclass(frozen=True)
class CohortMatured:
    """The outcomes of some records are decided."""

    part: Matured


Event = Started | Ticked | WindowJudged | CellScored | CohortMatured | RetrainingEnded


@dataclass(frozen=True)
class OpenRetraining:
    """Start the pipeline once for the Retraining ``number``."""

    number: int
    causes: tuple[Cause, ...]
    onset: datetime | None
    champion: str
    quarantine: tuple[Interval, ...]


@dataclass(frozen=True)
class Promote:
    """Move all traffic to the bundle ``version``."""

    version: str
    retraining: int


@dataclass(frozen=True)
class Alert:
    """Tell a person; ``kind`` is data_fault, drift, staleness or breaker."""

    kind: str
    text: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Defer:
    """A cause did not open a retraining now, and why."""

    cause: Cause
    reason: str


Action = OpenRetraining | Promote | Alert | Defer


@dataclass(frozen=True)
class Decision:
    """The next state, what to do, and the sentences that say why."""

    state: State
    actions: tuple[Action, ...] = ()
    reasons: tuple[str, ...] = ()

    def then(self, rule: Callable[[State], Decision]) -> Decision:
        """Return this decision followed by what ``rule`` makes of its state."""
        following = rule(self.state)
        return Decision(
            following.state, self.actions + following.actions, self.reasons + following.reasons
        )


def decide(state: State, event: Event, spec: LoopSpec, now: datetime) -> Decision:
    """Return what follows from ``event`` for a loop in ``state``."""
    if isinstance(event, Started):
        decision = _begun(state, now)
    elif isinstance(event, WindowJudged):
        decision = _judged(state, event, spec)
    elif isinstance(event, CellScored):
        decision = _counted(state, event.cell).then(lambda s: _pooled(s, spec, now))
    elif isinstance(event, CohortMatured):
        decision = _followed(state, event.part, spec)
    elif isinstance(event, RetrainingEnded):
        decision = _ended(state, event, spec)
    else:
        decision = _pooled(state, spec, now).then(lambda s: _aged(s, spec, now))
        decision = decision.then(lambda s: _grown(s, spec, now))
    return decision.then(lambda s: _advance(s, spec, now))


def _cause(kind: Kind, now: datetime, text: str, onset: datetime | None = None) -> Cause:
    return Cause(kind=kind, until=now, ready_at=now, onset=onset, evidence=(text,))


def _begun(state: State, now: datetime) -> Decision:
    if state.champion or state.running or _waits(state, "initial"):
        return Decision(state)
    return _ask(state, _cause("initial", now, "The loop has no model yet."))


def _ask(state: State, cause: Cause) -> Decision:
    waiting = (*state.waiting, cause)
    return Decision(state.model_copy(update={"waiting": waiting}), reasons=cause.evidence)


def _counted(state: State, cell: Cell) -> Decision:
    """Take one replica's part."""
    return Decision(state.model_copy(update={"pools": state.pools.put(cell, state.champion)}))


def _pooled(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Judge the windows that all replicas had time to tell of."""
    pools, found = state.pools.judged(spec.drift, now)
    changed = pools != state.pools
    decision = Decision(state.model_copy(update={"pools": pools}) if changed else state)
    for event in map(WindowJudged.of, found):
        decision = decision.then(lambda s, event=event: _judged(s, event, spec))  # type: ignore[misc]
    return decision


def _followed(state: State, part: Matured, spec: LoopSpec) -> Decision:
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


def _judged(state: State, event: WindowJudged, spec: LoopSpec) -> Decision:
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


def _aged(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Ask for a retraining when the champion's newest row is older than the charter allows."""
    since = max([end for end in (state.data_end, *state.started) if end], default=None)
    if since is None or now - since <= spec.retrain.max_age or _waits(state, "staleness"):
        return Decision(state)
    text = f"The model's data are older than {show_duration(spec.retrain.max_age)}."
    if spec.retrain.on_staleness == "alert":
        return Decision(state, (Alert("staleness", text),), (text,))
    return _ask(state, _cause("staleness", now, text))


def _grown(state: State, spec: LoopSpec, now: datetime) -> Decision:
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
    return _ask(state, _cause("growth", now, text))


def _waits(state: State, kind: Kind) -> bool:
    return any(cause.kind == kind for cause in state.waiting)


def _ended(state: State, event: RetrainingEnded, spec: LoopSpec) -> Decision:
    if not state.running or event.number != state.running:
        return Decision(state, reasons=(f"Retraining {event.number} is not the running one.",))
    idle = state.model_copy(update={"running": 0, "running_onset": None})
    if event.verdict == "promote":
        return _promoted(idle, state, event, spec)
    count = state.unpromoted + 1
    reason = f"The gate said {event.verdict}; {state.champion or 'no model'} stays in service."
    alerts: tuple[Action, ...] = ()
    if count == spec.retrain.breaker:
        alerts = (Alert("breaker", f"{count} retrainings in a row promoted nothing."),)
    return Decision(idle.model_copy(update={"unpromoted": count}), alerts, (reason,))


def _promoted(idle: State, before: State, event: RetrainingEnded, spec: LoopSpec) -> Decision:
    covered = [c for c in idle.waiting if event.data_end and c.until <= event.data_end]
    update = {
        "champion": event.version,
        "data_end": event.data_end,
        "onset": before.running_onset,
        "fresh": _fresh(before.running_onset, before.started[-1], spec),
        "waiting": tuple(cause for cause in idle.waiting if cause not in covered),
        "matured": None,
        "unpromoted": 0,
    }
    reasons = [f"{event.version} passed the gate."]
    reasons += [f"Superseded: {cause.evidence[0]}" for cause in covered]
    action = Promote(event.version, event.number)
    return Decision(idle.model_copy(update=update), (action,), tuple(reasons))


def _advance(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Open a retraining for the causes that are ready, or say what holds them back."""
    ready = tuple(cause for cause in state.waiting if cause.ready_at <= now)
    if not ready or state.running:
        return Decision(state)
    obstacle = _obstacle(state, spec, now)
    if obstacle:
        fresh = tuple(c for c in ready if f"{c.evidence[0]} {obstacle}" not in state.told)
        told = tuple(f"{c.evidence[0]} {obstacle}" for c in ready)
        actions = tuple(Defer(cause, obstacle) for cause in fresh)
        reasons = (obstacle,) if fresh else ()
        return Decision(state.model_copy(update={"told": told}), actions, reasons)
    return _open(state, ready, spec, now)


def _obstacle(state: State, spec: LoopSpec, now: datetime) -> str:
    """Return why no retraining may open now, or nothing."""
    policy = spec.retrain
    if spec.paused:
        return "The loop is paused."
    if state.unpromoted >= policy.breaker:
        return f"{state.unpromoted} retrainings in a row promoted nothing; a person must decide."
    if state.champion and state.started and now - state.started[-1] < policy.cooldown:
        return f"The cooldown of {show_duration(policy.cooldown)} is not over."
    if sum(now - start < DAY for start in state.started) >= policy.daily_budget:
        return f"The budget of {policy.daily_budget} a day is used up."
    return ""


def _open(state: State, causes: tuple[Cause, ...], spec: LoopSpec, now: datetime) -> Decision:
    number = state.number + 1
    onset = max((c.onset for c in causes if c.onset), default=state.onset)
    # A try that is not promoted counts for growth only where it was about the same change.
    fresh = _fresh(onset, now, spec) if onset == state.onset else state.fresh
    horizon = now - spec.training.window
    quarantine = tuple(i for i in state.quarantine if i.end > horizon)
    update = {
        "number": number,
        "running": number,
        "running_onset": onset,
        "fresh": fresh,
        "waiting": tuple(cause for cause in state.waiting if cause not in causes),
        "started": (*state.started, now)[-spec.retrain.daily_budget :],
        "quarantine": quarantine,
        "told": (),
    }
    action = OpenRetraining(number, causes, onset, state.champion, quarantine)
    kinds = ", ".join(dict.fromkeys(cause.kind for cause in causes))
    reason = f"Retraining {number} opens for: {kinds}."
    return Decision(state.model_copy(update=update), (action,), (reason,))


def _fresh(onset: datetime | None, now: datetime, spec: LoopSpec) -> timedelta:
    """Return how much labelled time a model trained at ``now`` has seen since ``onset``."""
    return now - spec.data.label_maturity - onset if onset else timedelta(0)
