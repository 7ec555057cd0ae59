"""Look: what one review sees by itself, before it is asked whether earlier ones agree.

A loop is reviewed as often as it lives, so every look spends a part of ``business.alpha``: the
k-th has the level alpha r / (k (k + 1)), r being the reviews that must agree. From the r-th on,
before which nothing is decided, these sum to alpha; so all reviews together ever pivot or end
wrongly with at most that chance, whatever the periods have in common (Bonferroni; no two looks
need be independent). Reviews are counted anew, each time with the whole of alpha, when the
objective or the period changes. A look asks three questions and gives each a third of its level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftloop.business import missing
from driftloop.business.accounts import Period
from driftloop.business.promise import Promise
from driftloop.evaluation.difference import FEWEST_ENTITIES
from driftloop.spec.business import Business
from driftloop.spec.objective import Objective

REACHED, SHORT, UNSURE, NO_TARGET = "reached", "short", "unsure", "no_target"
PIVOT, END, CONTINUE = "pivot", "end", "continue"
FEWEST_POSITIVES = 10.0
"""Outcomes below which a period's errors say too little: of none, the error would be 0."""
QUESTIONS = 3


@dataclass(frozen=True)
class Look:
    """A period as its review sees it.

    ``level``: of each one-sided bound; ``kpi``: whether the target is reached, surely short, or
    neither; ``losing``: the profit lies surely below the floor; ``better``: the alternative that
    surely promises more, '' for none; ``leaning``: what it speaks for; ``unjudged``: a sentence
    that says why the period is not judged, '' where it is; ``untold``: alternatives of which
    nothing sound is known, so that it cannot be said whether a pivot to one of them helps.
    """

    period: Period
    level: float
    kpi: str
    losing: bool
    better: str
    leaning: str
    unjudged: str = ""
    untold: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Return whether there is enough to judge."""
        return not self.unjudged

    def to_data(self) -> dict[str, Any]:
        """Return what was seen, JSON-ready."""
        return {
            "number": self.period.number,
            "level": self.level,
            "kpi": self.kpi,
            "losing": self.losing,
            "better": self.better,
            "leaning": self.leaning,
            "judged": self.judged,
            "untold": list(self.untold),
        }


def level(number: int, business: Business) -> float:
    """Return the level of each bound in the review of that number, from 1.

    >>> from driftloop.spec.business import Business
    >>> terms = Business.model_validate({"period": "30d", "reviews": 2})
    >>> round(3 * sum(level(k, terms) for k in range(2, 10_000)), 4)
    0.05
    """
    count = max(number, business.reviews)
    return business.alpha * business.reviews / (count * (count + 1)) / QUESTIONS


def look(
    period: Period,
    promises: Sequence[Promise],
    objective: Objective,
    business: Business,
    usual: Mapping[str, float] | None = None,
) -> Look:
    """Return what the review of ``period`` sees.

    ``promises``: of alternatives, on its rounds; ``usual``: by label, the share of rows with a
    report in the periods before.
    """
    alpha = level(period.number, business)
    unjudged = _unjudged(period, usual or {})
    judged = not unjudged
    kpi = _kpi(period, objective, business, alpha) if judged else UNSURE
    has_money = bool(business.currency)
    losing = judged and has_money and _loses(period, business, alpha)
    better = _better(promises, alpha) if judged else None
    helps = better is not None and (not losing or _lifts(better, period, business, alpha))
    sound = {one.name for one in promises if not one.faults}
    untold = tuple(one.name for one in business.alternatives if one.name not in sound)
    leaning = CONTINUE
    if (kpi == SHORT or losing) and better is not None and helps:
        leaning = PIVOT
    elif losing and not untold:
        leaning = END
    name = better.name if better is not None and helps else ""
    return Look(period, alpha, kpi, losing, name, leaning, unjudged, untold)


def _unjudged(period: Period, usual: Mapping[str, float]) -> str:
    """Return why a period is not judged, '' where it has what its errors need to be true."""
    name = f"Period {period.number}"
    if not period.complete:
        return f"{name} is not over, or its outcomes are not mature."
    if period.coverage < missing.LEAST_COVERAGE:
        return (
            f"{name} is not judged: outcomes are missing. Those of {period.coverage:.1%} of its "
            f"rows are known; a review judges from {missing.LEAST_COVERAGE:.0%} on."
        )
    if label := missing.faded(period.reported, usual):
        return (
            f"{name} is not judged: outcomes seem to be missing. {period.reported[label]:.1%} of "
            f"its rows have a report of {label}; in the periods before {usual[label]:.1%} had one."
        )
    if period.kpi.groups < FEWEST_ENTITIES or period.positives < FEWEST_POSITIVES:
        return (
            f"{name} has {period.positives:.0f} positives of {period.kpi.groups} independent "
            f"groups; a review judges from {FEWEST_POSITIVES:.0f} of {FEWEST_ENTITIES} on."
        )
    return ""


def _loses(period: Period, business: Business, alpha: float) -> bool:
    """Return whether profit surely lies below the floor, whatever the few missing rows earned."""
    both = (period.profit, period.whole_profit)
    return all(one.high(alpha) < business.least_profit for one in both)


def _kpi(period: Period, objective: Objective, business: Business, alpha: float) -> str:
    if business.target is None:
        return NO_TARGET
    sign = 1.0 if objective.kpi.direction == "maximize" else -1.0
    value, target = period.kpi.scaled(sign), sign * business.target
    if value.low(alpha) >= target:
        return REACHED
    return SHORT if value.high(alpha) < target else UNSURE


def _better(promises: Sequence[Promise], alpha: float) -> Promise | None:
    """Return the best of the sound promises that are surely gains; each has its part of alpha."""
    each = alpha / max(1, len(promises))
    sure = [one for one in promises if not one.faults and one.gain.low(each) > 0]
    return max(sure, key=lambda one: one.gain.value, default=None)


def _lifts(promise: Promise, period: Period, business: Business, alpha: float) -> bool:
    """Return whether the period could have kept the floor under the alternative."""
    gained = promise.gain.high(alpha) * period.impressions
    return period.profit.high(alpha) + gained >= business.least_profit
