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
- What the gate held for want of rows is judged again on later ones, until another is promoted.
- What passed the gate takes over in steps (``rollout.mode: canary``), back at once on a breach.
- What a person orders (``spec.orders``) is done once.
- At a promotion, causes whose evidence ends before the new bundle's data end are superseded.
"""

from __future__ import annotations

from datetime import datetime

from driftloop.decisions import cause, evidence, orders, outcomes, rejudged, retraining, rollout
from driftloop.decisions.action import (
    Action,
    Alert,
    Decision,
    Defer,
    OpenRetraining,
    Promote,
    Shift,
    Withdraw,
)
from driftloop.decisions.event import (
    CellScored,
    CohortMatured,
    Event,
    RetrainingEnded,
    RolloutObserved,
    ShadowJudged,
    StageReturned,
    Started,
    Ticked,
    WindowJudged,
)
from driftloop.loop import LoopSpec
from driftloop.state import State

__all__ = [
    "Action",
    "Alert",
    "CellScored",
    "CohortMatured",
    "Decision",
    "Defer",
    "Event",
    "OpenRetraining",
    "Promote",
    "RetrainingEnded",
    "RolloutObserved",
    "ShadowJudged",
    "Shift",
    "StageReturned",
    "Started",
    "Ticked",
    "WindowJudged",
    "Withdraw",
    "decide",
]


def decide(state: State, event: Event, spec: LoopSpec, now: datetime) -> Decision:
    """Return what follows from ``event`` for a loop in ``state``."""
    if isinstance(event, Started):
        decision = orders.obeyed(state, spec).then(lambda s: cause.begun(s, now))
    elif isinstance(event, WindowJudged):
        decision = evidence.judged(state, event, spec)
    elif isinstance(event, CellScored):
        decision = evidence.counted(state, event.cell).then(lambda s: evidence.pooled(s, spec, now))
    elif isinstance(event, CohortMatured):
        decision = outcomes.followed(state, event, spec)
        decision = decision.then(lambda s: rollout.matured(s, event.beside, spec, now))
    elif isinstance(event, RetrainingEnded):
        decision = retraining.ended(state, event, spec, now)
    elif isinstance(event, RolloutObserved):
        decision = rollout.looked(state, event, spec, now)
    elif isinstance(event, ShadowJudged):
        decision = rollout.shadowed(state, event, spec)
        decision = decision.then(lambda s: rejudged.judged(s, event, spec, now))
    elif isinstance(event, StageReturned):
        decision = Decision(state, reasons=(event.returned.sentence,))
    else:
        decision = orders.obeyed(state, spec).then(lambda s: evidence.pooled(s, spec, now))
        decision = decision.then(lambda s: cause.aged(s, spec, now))
        decision = decision.then(lambda s: cause.grown(s, spec, now))
        decision = decision.then(lambda s: rollout.passed_time(s, spec, now))
        decision = decision.then(lambda s: rejudged.aged(s, spec, now))
    return decision.then(lambda s: retraining.advance(s, spec, now))
