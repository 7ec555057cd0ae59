"""Review: go on, pivot to another objective, or end the system. docs/business.md has the rule.

Pure: numbers in, a decision with its evidence out. Earlier looks speak at their own level, which
was larger; the last one's level is what bounds the chance of a wrong decision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import special

from driftloop.business import look as looks
from driftloop.business import missing
from driftloop.business.accounts import Period
from driftloop.business.look import CONTINUE, END, PIVOT, REACHED, SHORT, UNSURE, Look
from driftloop.business.measured import Measured
from driftloop.business.promise import Promise
from driftloop.spec.business import Business
from driftloop.spec.objective import Objective
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES

POWER = 0.85
"""Chance that the rows which are asked for tell the KPI from its target."""


@dataclass(frozen=True)
class Decision:
    """What a review decides: ``continue``, ``pivot`` (``to`` an objective) or ``end``.

    ``watch``: to continue is not yet sure to be right; ``reasons``: sentences with the numbers;
    ``lacking``: rows that it takes beyond this period's to tell the KPI from its target, 0 for
    none or where no number does; ``look``: what the newest period shows.
    """

    decision: str
    watch: bool
    reasons: tuple[str, ...]
    to: str
    lacking: int
    look: Look
    promises: tuple[Promise, ...]

    @property
    def returned(self) -> Returned | None:
        """Return where the loop is sent back to, None where it goes on."""
        if self.decision == CONTINUE:
            return None
        return RULES[self.decision].returned(" ".join(self.reasons))

    @property
    def said(self) -> str:
        """Return the decision as a heading has it."""
        if self.decision == PIVOT:
            return f"pivot to {self.to}"
        return "continue, watch" if self.watch else self.decision

    def to_data(self, business: Business) -> dict[str, Any]:
        """Return the data of an ``io.driftloop.review.decided.v1`` event, without its loop."""
        confidence = business.confidence
        return {
            "decision": self.decision,
            "watch": self.watch,
            "to": self.to,
            "evidence": list(self.reasons),
            "lacking": self.lacking,
            "look": self.look.to_data(),
            "period": self.look.period.to_data(confidence),
            "promises": [one.to_data(confidence) for one in self.promises],
            "currency": business.currency,
            "target": business.target,
            "floor": business.least_profit if business.currency else None,
        }


def review(
    periods: Sequence[Period],
    promises: Sequence[Sequence[Promise]],
    objective: Objective,
    business: Business,
) -> Decision | None:
    """Return what to do after the newest complete period; None while there is none.

    ``periods``: in order, of which incomplete ones are passed over; ``promises``: for each period,
    what the alternatives promise on its rounds (empty where propensities were not logged).
    """
    seen: list[tuple[Look, Sequence[Promise]]] = []
    before: list[Mapping[str, float]] = []
    for period, each in zip(periods, promises, strict=True):
        if period.complete:
            usual = missing.usually(before)
            seen.append((looks.look(period, each, objective, business, usual), each))
            before.append(period.reported)
    if not seen:
        return None
    newest, said = seen[-1]
    decision, to = _agreed([one for one, _ in seen], business.reviews)
    lacking = _lacking(newest, business) if decision == CONTINUE else 0
    unsure = newest.kpi != REACHED or newest.losing or newest.leaning != CONTINUE
    watch = decision == CONTINUE and unsure
    reasons = (
        *_evidence(newest, objective, business),
        *_alternatives(newest, said, business),
        *_concluded(newest, decision, to, lacking, business),
    )
    return Decision(decision, watch, reasons, to, lacking, newest, tuple(said))


def _agreed(seen: Sequence[Look], reviews: int) -> tuple[str, str]:
    """Return what the last ``reviews`` looks, one right after another, agree on."""
    last = seen[-reviews:]
    newest = last[-1]
    follows = len(last) == reviews and newest.period.number - last[0].period.number == reviews - 1
    alike = {(one.leaning, one.better if one.leaning == PIVOT else "") for one in last}
    if newest.leaning == CONTINUE or not follows or len(alike) > 1:
        return CONTINUE, ""
    return newest.leaning, newest.better if newest.leaning == PIVOT else ""


def _lacking(seen: Look, business: Business) -> int:
    """Return how many rows more it takes to tell the KPI from its target."""
    period = seen.period
    if seen.kpi != UNSURE or not seen.judged or business.target is None:
        return 0
    reach = float(special.ndtri(1 - seen.level) + special.ndtri(POWER)) * period.kpi.error
    gap = abs(period.kpi.value - business.target)
    if gap <= 0 or not math.isfinite(reach / gap):
        return 0
    return max(0, math.ceil(period.rows * ((reach / gap) ** 2 - 1)))


def _evidence(seen: Look, objective: Objective, business: Business) -> list[str]:
    period, kpi = seen.period, objective.kpi
    found = []
    if not seen.judged:
        found.append(seen.unjudged)
    value = told(period.kpi, seen.level, unit=kpi.unit)
    if business.target is None:
        found.append(f"{kpi.name} is {value}; no target is set.")
    else:
        verb = {REACHED: "reaches", SHORT: "surely falls short of"}.get(
            seen.kpi, "cannot be told from"
        )
        found.append(
            f"{kpi.name} is {value}, on {period.rows} rows: it {verb} "
            f"the target of {business.target:g}."
        )
    if business.currency:
        profit = told(period.profit, seen.level, unit=business.currency)
        below = "surely lies below" if seen.losing else "does not surely lie below"
        floor = f"{business.least_profit:g} {business.currency}"
        found.append(f"Profit is {profit}; it {below} the floor of {floor}.")
    return found


def _alternatives(seen: Look, said: Sequence[Promise], business: Business) -> list[str]:
    missing = {one.name for one in business.alternatives} - {one.name for one in said}
    found = [_promised(one, seen, len(said), business) for one in said]
    if missing:
        names = ", ".join(sorted(missing))
        found.append(f"No logged propensities tell what {names} would bring.")
    return found


def _promised(promise: Promise, seen: Look, count: int, business: Business) -> str:
    if promise.fault:
        return f"{promise.name} is not judged: {promise.fault.removeprefix('Not judged: ')}"
    gain = told(promise.gain, seen.level / count, unit=f"{business.currency} a round".strip())
    ess = f"effective sample size {promise.diagnostics.effective:.0f}"
    if promise.faults:
        return f"{promise.name} is not judged ({ess}): {' '.join(promise.faults)}"
    more = "promises more" if promise.gain.low(seen.level / count) > 0 else "is not surely more"
    helps = " and does not lift the profit to the floor" if _too_little(promise, seen) else ""
    return f"{promise.name} {more}{helps}: {gain} against the present policy ({ess})."


def _too_little(promise: Promise, seen: Look) -> bool:
    return seen.losing and promise.gain.value > 0 and seen.better == ""


def _concluded(seen: Look, decision: str, to: str, lacking: int, business: Business) -> list[str]:
    if decision == PIVOT:
        return [f"{_counted(business.reviews)} for a pivot to {to}."]
    if decision == END:
        return [f"{_counted(business.reviews)} for an end."]
    if seen.leaning != CONTINUE:
        wish = f"a pivot to {seen.better}" if seen.leaning == PIVOT else "an end"
        return [f"This review speaks for {wish}; {business.reviews} in a row must agree."]
    found = [f"It takes about {lacking} more rows to tell."] if lacking else []
    if seen.losing and seen.untold:
        found.append(
            "Profit is too low, but it cannot be said whether a pivot to "
            f"{', '.join(seen.untold)} helps, so this is no end."
        )
    return found


def _counted(reviews: int) -> str:
    return "One review speaks" if reviews == 1 else f"{reviews} reviews in a row speak"


def told(number: Measured, alpha: float, unit: str = "") -> str:
    """Return a number between its bounds as reasons have it.

    >>> told(Measured(0.0523, 0.001, 10_000), 0.025, "ratio")
    '0.0523 [0.05034, 0.05426] ratio'
    """
    bounds = f"[{number.low(alpha):.4g}, {number.high(alpha):.4g}]"
    return f"{number.value:.4g} {bounds} {unit}".rstrip()
