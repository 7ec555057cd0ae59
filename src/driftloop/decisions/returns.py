"""Returns: which stage a decision sends the loop back to, by which rule, and why. Pure.

Read from what is decided anyway: a retraining that opens, an alert, a bundle that gives way, a
gate that refuses. docs/stages.md has the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from driftloop.decisions.action import Action, Alert, Decision, OpenRetraining, Promote, Withdraw
from driftloop.decisions.event import Event, RetrainingEnded, ShadowJudged, StageReturned
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop.state import Cause, State
from driftloop_contracts import bundle
from driftloop_contracts.drift.finding import ANSWERS

DRIFT = ("data_drift", "concept_drift")
"""The rules that evidence of drift may follow; older evidence, which names none, the first."""


@dataclass(frozen=True)
class Sent:
    """A stage sends the loop back; ``number``: of the Retraining that it is about (0: of none)."""

    returned: Returned
    number: int = 0


def of(before: State, event: Event, decision: Decision) -> tuple[Sent, ...]:
    """Return every return that follows from ``decision``, made on ``event`` in ``before``."""
    found = [*_told(before, event)]
    for action in decision.actions:
        found += _of_action(action, before, event)
    return tuple(dict.fromkeys(found))


def _told(before: State, event: Event) -> Iterator[Sent]:
    """Yield what others found: the steps of a pipeline and its gate, or a stage elsewhere."""
    if isinstance(event, StageReturned):
        yield Sent(event.returned)
    if isinstance(event, ShadowJudged) and event.verdict == "reject":
        yield from _refused_later(before, event)
    if not isinstance(event, RetrainingEnded) or not before.running:
        return
    if event.number != before.running:
        return
    yield from (Sent(one, event.number) for one in event.returned)
    if event.verdict in ("hold", "reject"):
        why = " ".join((f"The gate said {event.verdict}.", *event.reasons))
        yield Sent(RULES["gate_refused"].returned(why), event.number)


def _refused_later(before: State, event: ShadowJudged) -> Iterator[Sent]:
    """Yield that what waited was refused; what gives way as a rollout is told by its action."""
    known = before.again
    if known and known.awaits(event.version, event.step):
        why = " ".join(("The gate said reject.", *event.reasons))
        yield Sent(RULES["gate_refused"].returned(why), known.passed.retraining)


def _of_action(action: Action, before: State, event: Event) -> Iterator[Sent]:
    if isinstance(action, OpenRetraining):
        for cause in action.causes:
            yield from (Sent(one, action.number) for one in _of_cause(cause))
    elif isinstance(action, Withdraw):
        number = before.rollout.passed.retraining if before.rollout else 0
        yield Sent(RULES["withdrawn"].returned(action.why), number)
    elif isinstance(action, Promote) and action.version in before.before:
        why = f"A person put {action.version} back into service, in place of {before.champion}."
        yield Sent(RULES["withdrawn"].returned(why), bundle.age(before.champion)[0])
    elif isinstance(action, Alert) and action.kind == "breaker":
        number = event.number if isinstance(event, RetrainingEnded) else 0
        yield Sent(RULES["breaker"].returned(action.text), number)
    elif isinstance(action, Alert) and action.kind == "data_fault" and _is_upstream(action):
        yield Sent(RULES["data_fault"].returned(action.text))


def _is_upstream(alert: Alert) -> bool:
    """Return whether the data are at fault, and not a predictor that answers nonsense."""
    return not set(alert.features) <= ANSWERS


def _of_cause(cause: Cause) -> Iterator[Returned]:
    """Yield why a cause sends the loop back; a beginning, growth and a person's wish do not."""
    if cause.kind == "staleness":
        yield RULES["stale_data"].returned(" ".join(cause.evidence))
    if cause.kind != "drift":
        return
    unknown = (DRIFT[0],) * (len(cause.evidence) - len(cause.rules))
    rules = (*unknown, *cause.rules)
    for rule in DRIFT:
        told = [text for text, own in zip(cause.evidence, rules, strict=True) if own == rule]
        if told:
            more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
            yield RULES[rule].returned(f"{told[0]}{more}")
