"""Verdict: ML, a rule, or not yet, by conditions that are asked in this order.

| condition                   | verdict | holds when                                               |
|-----------------------------|---------|----------------------------------------------------------|
| not framed                  | not yet | input or output is not said                              |
| no bottleneck               | not yet | no step is named, or the evidence names none, or another |
| not measurable              | not yet | no label of the output has been seen                     |
| too few labels              | not yet | labels, positives or negatives are below the least       |
| rule reaches the target     | rule    | its loss's upper bound is at most the target             |
| out of reach                | not yet | a check of the charter has less than 5 % probability     |
| not worth its cost          | rule    | ML's gain over the rule is estimated below the least, or |
|                             |         | its upper bound is                                       |
| gain unknown                | not yet | its estimate is above the least, its lower bound is not  |
| worth its cost              | ML      | its lower bound is at least the least gain               |

The burden of proof is ML's: it costs more to keep than a rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from driftloop.evaluation.difference import Interval
from driftloop.scoping.bottleneck import Bottleneck
from driftloop.scoping.reach import Check, percent
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES

Kind = Literal["ML", "rule", "not yet"]

FEWEST_OF_A_KIND = 20
"""Positives, and negatives, below which no loss can be told."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a problem; all of it may be lacking.

    ``claimed``: the step that is to become faster or better, and take ``predicted_minutes`` each
    time; ``bottleneck``: what the times of the process say; ``labels``: labelled rows, of which
    there should be ``least_labels``; ``positives``, ``negatives``: weighted labels of each kind
    (None: not of two kinds); ``rule``: name of the best rule, ``rule_loss``: its loss; ``target``:
    loss to reach; ``gain``: 1 - loss of ML / loss of the rule, which should be ``least_gain``;
    ``checks``: of the charter.
    """

    wish: str = ""
    claimed: str = ""
    bottleneck: Bottleneck | None = None
    predicted_minutes: float | None = None
    input: str = ""
    output: str = ""
    objective: str = ""
    labels: int = 0
    least_labels: int = 500
    positives: float | None = None
    negatives: float | None = None
    rule: str = ""
    rule_loss: Interval | None = None
    target: float | None = None
    gain: Interval | None = None
    least_gain: float = 0.01
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The verdict, the condition that decided, and sentences.

    ``missing``: what is not known and would have to be; ``would_change``: what would lead to
    another verdict; ``returned``: where the charter is out of reach, what sends the loop back.
    """

    kind: Kind
    condition: str
    reasons: tuple[str, ...]
    missing: tuple[str, ...] = ()
    would_change: tuple[str, ...] = ()
    returned: Returned | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        return {
            "verdict": self.kind,
            "condition": self.condition,
            "reasons": list(self.reasons),
            "missing": list(self.missing),
            "would_change": list(self.would_change),
            "returned": self.returned.to_data() if self.returned else None,
        }


class _Found(NamedTuple):
    """A condition that holds: the verdict, its name, why, and what would change it."""

    kind: Kind
    condition: str
    why: str
    change: str


def verdict(evidence: Evidence) -> Verdict:
    """Return whether the problem is one for ML, for a rule, or not yet one.

    >>> found = verdict(Evidence(wish="better support"))
    >>> found.kind, found.condition, len(found.missing)
    ('not yet', 'not framed', 6)
    """
    found = next(_conditions(evidence))
    out = tuple(check for check in evidence.checks if check.is_out_of_reach)
    returned = None
    if found.condition == "out of reach":
        returned = RULES["out_of_reach"].returned(found.why)
    return Verdict(
        kind=found.kind,
        condition=found.condition,
        reasons=(found.why, *_beside(evidence, found)),
        missing=_missing(evidence),
        would_change=(found.change, *_others(evidence, found, out)),
        returned=returned,
    )


def _conditions(evidence: Evidence) -> Iterator[_Found]:
    """Yield every condition that holds, the one that decides first."""
    for condition in (_framing, _bottleneck, _labels, _rule, _reach, _gain):
        found = condition(evidence)
        if found:
            yield found


def _framing(e: Evidence) -> _Found | None:
    unsaid = [name for name in ("input", "output") if not getattr(e, name)]
    if not unsaid:
        return None
    wish = f"The wish '{e.wish}'" if e.wish else "The problem"
    why = f"{wish} is not framed: {' and '.join(unsaid)} of a model are not said."
    return _Found(
        "not yet", "not framed", why, "Say what goes in, what comes out and what it is for."
    )


def _bottleneck(e: Evidence) -> _Found | None:
    found, change = e.bottleneck, "A table of steps with their times in which one takes the most."
    if found is None:
        if e.claimed:
            return None
        why = "No step of today's process is named as its bottleneck, and no times are given."
        return _Found("not yet", "no bottleneck", why, change)
    if not found.named:
        return _Found(
            "not yet", "no bottleneck", f"No bottleneck in evidence: {found.reason}", change
        )
    if e.claimed and e.claimed != found.named:
        why = f"The framing is about '{e.claimed}', but {found.reason}"
        change = f"Frame the problem about '{found.named}', or show that its time does not matter."
        return _Found("not yet", "no bottleneck", why, change)
    return None


def _labels(e: Evidence) -> _Found | None:
    if not e.labels:
        why = "The output is not measurable: no label of it has been seen."
        change = "A source of labels: outcomes, or rows labelled by hand."
        return _Found("not yet", "not measurable", why, change)
    if e.labels < e.least_labels:
        why = f"{e.labels:,} labelled rows are too few; it takes {e.least_labels:,}."
        return _Found(
            "not yet", "too few labels", why, f"{e.least_labels - e.labels:,} more labels."
        )
    for name in ("positives", "negatives"):
        count = getattr(e, name)
        if count is not None and count < FEWEST_OF_A_KIND:
            why = f"{count:,.0f} {name} are too few; it takes {FEWEST_OF_A_KIND}."
            change = f"{FEWEST_OF_A_KIND - count:,.0f} more {name}."
            return _Found("not yet", "too few labels", why, change)
    return None


def _rule(e: Evidence) -> _Found | None:
    if e.rule_loss is None or e.target is None or e.rule_loss.high > e.target:
        return None
    why = (
        f"The rule '{e.rule}' reaches the target without ML: its loss is {_told(e.rule_loss)}, the "
        f"target {e.target:.4g}."
    )
    change = f"A target that the rule misses, below {e.rule_loss.low:.4g}."
    return _Found("rule", "rule reaches the target", why, change)


def _reach(e: Evidence) -> _Found | None:
    out = [check for check in e.checks if check.is_out_of_reach]
    if not out:
        return None
    why = " ".join(f"Out of reach: {check.name}. {check.says}" for check in out)
    names = " and ".join(check.name for check in out)
    change = f"Another charter ({names}), other features, or an estimator that learns faster."
    return _Found("not yet", "out of reach", why, change)


def _gain(e: Evidence) -> _Found:
    if e.gain is None or e.rule_loss is None:
        why = "ML has not been compared with a rule."
        return _Found("not yet", "gain unknown", why, "A sample run, and a rule on the same rows.")
    told = (
        f"ML's loss is {_percent(e.gain)} less than that of the rule '{e.rule}' "
        f"({_told(e.rule_loss)}); it takes {e.least_gain:.1%} to be worth its cost"
    )
    low, middle, high = e.gain
    if low >= e.least_gain:
        change = (
            f"A rule that comes within {e.least_gain:.1%} of ML, or a cost above {low:.1%} gain."
        )
        return _Found("ML", "worth its cost", f"{told}, and surely gains it.", change)
    if middle < e.least_gain or high < e.least_gain:
        change = f"Features or rows that bring a gain of {e.least_gain:.1%}, or a cheaper ML."
        return _Found("rule", "not worth its cost", f"{told}, and is not expected to.", change)
    change = f"More labelled rows, until the gain's lower bound is {e.least_gain:.1%} or more."
    return _Found("not yet", "gain unknown", f"{told}, and may or may not.", change)


def _beside(e: Evidence, found: _Found) -> Iterator[str]:
    """Yield what else speaks for the verdict or limits it."""
    if e.bottleneck is not None and e.bottleneck.named and found.condition != "no bottleneck":
        saved = e.bottleneck.saved()
        yield f"{e.bottleneck.reason} Were it free, {_percent(saved)} of all time would be saved."
        if e.predicted_minutes is not None:
            less = _percent(e.bottleneck.saved(minutes=e.predicted_minutes))
            yield f"At the predicted {e.predicted_minutes:g} minutes each time it is {less}."
    if e.bottleneck is None and e.claimed:
        yield f"That '{e.claimed}' is the bottleneck is claimed; no times are given that show it."
    if found.kind == "ML":
        kept = [f"{c.name} ({percent(c.chance)})" for c in e.checks if c.chance is not None]
        if kept:
            yield f"Within reach, with its probability: {', '.join(kept)}."


def _missing(e: Evidence) -> tuple[str, ...]:
    """Return what is not known of the problem, in the order in which one would find it."""
    lacks = {
        "the steps of today's process with their times": e.bottleneck is None,
        "the input of a model": not e.input,
        "its output": not e.output,
        "what is minimised or maximised": not e.objective,
        "labels of the output": not e.labels,
        "a rule to compare with, judged on the same rows": e.rule_loss is None,
    }
    return tuple(name for name, is_missing in lacks.items() if is_missing)


def _others(e: Evidence, found: _Found, out: tuple[Check, ...]) -> Iterator[str]:
    if found.kind == "ML" and e.bottleneck is None:
        yield "Times of the process in which another step takes the most."
    if found.kind == "ML" and e.target is None:
        yield "A target in the charter that the rule reaches, or that no budget does."
    if found.kind != "not yet" and out:
        yield from (f"Beside that, {check.name} is out of reach: {check.says}" for check in out)


def _told(interval: Interval) -> str:
    return f"{interval.estimate:.4g} ({interval.low:.4g} to {interval.high:.4g})"


def _percent(interval: Interval) -> str:
    return f"{interval.estimate:.1%} ({interval.low:.1%} to {interval.high:.1%})"
