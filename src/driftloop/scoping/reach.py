"""Reach: whether labels, budget and target of the charter are within reach, and how likely.

Each check compares what the charter allows with what the curves say of all rows there are. The
target is asked of the most rows that labels and budget allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from driftloop.evaluation.difference import Interval
from driftloop.quantities import show_duration
from driftloop.scoping.cost_curve import CostCurve
from driftloop.scoping.learning_curve import LearningCurve
from driftloop.spec.charter import Budget

OUT_OF_REACH = 0.05
"""Probability below which something is out of reach."""


@dataclass(frozen=True)
class Check:
    """One limit of the charter: the probability that it is kept (None: it is not set)."""

    name: str
    chance: float | None
    says: str

    @property
    def is_out_of_reach(self) -> bool:
        """Return whether the limit is kept with less than ``OUT_OF_REACH`` probability."""
        return self.chance is not None and self.chance < OUT_OF_REACH

    def to_data(self) -> dict[str, Any]:
        """Return the check as JSON has it."""
        return asdict(self) | {"is_out_of_reach": self.is_out_of_reach}


@dataclass(frozen=True)
class Plan:
    """What the checks are asked of.

    ``rows``: labelled ones there are, all of which a training takes; ``budget``: the charter's;
    ``trainings``: in the period of the compute budget; ``fits``: in each training; ``target``: loss
    to reach, None where the charter has none.
    """

    rows: float
    budget: Budget
    trainings: float = 1.0
    fits: int = 1
    target: float | None = None

    @property
    def seconds(self) -> float | None:
        """Return the CPU time that one fit may take."""
        allowed = self.budget.compute
        return allowed.spent.total_seconds() / (self.trainings * self.fits) if allowed else None


def checks(
    plan: Plan, loss: LearningCurve, seconds: CostCurve, memory: CostCurve
) -> tuple[Check, ...]:
    """Return what of the charter is within reach: labels, compute, memory, target.

    ``seconds``: CPU time of a fit; ``memory``: its peak in bytes.
    """
    most = affordable(plan, seconds, memory)
    return (
        _labels(plan, loss),
        _compute(plan, seconds),
        _memory(plan, memory),
        _target(plan, loss, most),
    )


def affordable(plan: Plan, seconds: CostCurve, memory: CostCurve) -> float:
    """Return the most rows that labels, compute and memory allow, by the fitted curves."""
    most = float(max(plan.budget.labels or 0, plan.rows))
    if plan.seconds is not None:
        most = min(most, seconds.affordable(plan.seconds))
    if plan.budget.memory is not None:
        most = min(most, memory.affordable(plan.budget.memory))
    return max(most, 1.0)


def _labels(plan: Plan, loss: LearningCurve) -> Check:
    allowed = plan.budget.labels
    if plan.target is None:
        says = f"{plan.rows:,.0f} labelled rows are there; no target says how many it takes"
        told = f", {allowed:,} are in the budget." if allowed else "."
        return Check("labels", None, says + told)
    needed = loss.needed(plan.target)
    least = loss.runs.size[0]
    takes = f"at most {least:,.0f}" if needed.estimate <= least else _rows(needed)
    more = f"The target takes {takes} labelled rows; {plan.rows:,.0f} are there"
    lacking = needed.estimate - plan.rows
    if np.isfinite(lacking) and lacking > 0:
        more += f", {lacking:,.0f} more are to be labelled"
    if allowed is None:
        return Check("labels", None, more + ".")
    chance = loss.chance(plan.target, max(allowed, plan.rows))
    return Check("labels", chance, f"{more}; {allowed:,} are in the budget{_within(chance)}.")


def _compute(plan: Plan, seconds: CostCurve) -> Check:
    whole, tenfold = (
        _seconds_of(seconds.at(rows), plan.fits) for rows in (plan.rows, 10 * plan.rows)
    )
    says = (
        f"A training of {plan.fits} fits takes {whole} of CPU time, on ten times the rows {tenfold}"
    )
    allowed = plan.budget.compute
    if allowed is None or plan.seconds is None:
        return Check("compute", None, says + ".")
    chance = seconds.chance(plan.seconds, plan.rows)
    period = show_duration(allowed.period)
    limit = f"; {plan.trainings:g} in {period} may take {show_duration(allowed.spent)} in all"
    return Check("compute", chance, says + limit + _within(chance) + ".")


def _memory(plan: Plan, memory: CostCurve) -> Check:
    whole, tenfold = (told(memory.at(r), size) for r in (plan.rows, 10 * plan.rows))
    says = f"A fit's peak is {whole}, on ten times the rows {tenfold}"
    if plan.budget.memory is None:
        return Check("memory", None, says + ".")
    chance = memory.chance(plan.budget.memory, plan.rows)
    limit = f"; {size(plan.budget.memory)} are allowed"
    return Check("memory", chance, says + limit + _within(chance) + ".")


def _target(plan: Plan, loss: LearningCurve, most: float) -> Check:
    expected = told(loss.at(most), lambda value: f"{value:.4g}")
    says = f"On the {most:,.0f} rows that the budget allows the loss is {expected}"
    if plan.target is None:
        return Check("target", None, says + "; the charter has no target.")
    chance = loss.chance(plan.target, most)
    unsure = "" if loss.identified else " The learning curve is not identified: " + loss.reason
    limit = f"; the target is {plan.target:.4g}{_within(chance)}."
    return Check("target", chance, says + limit + unsure)


def _within(chance: float) -> str:
    return f" (kept with a probability of {percent(chance)})"


def percent(chance: float) -> str:
    """Return a probability in percent, never as a certainty.

    >>> percent(1.0), percent(0.42), percent(0.0)
    ('more than 99 %', '42 %', 'less than 1 %')
    """
    if chance > 0.99:
        return "more than 99 %"
    return f"{chance * 100:.0f} %" if chance >= 0.01 else "less than 1 %"


def told(interval: Interval, show: Callable[[float], str]) -> str:
    """Return an estimate with its bounds."""
    low, middle, high = interval
    return f"{show(middle)} ({show(low)} to {show(high)})"


def _rows(interval: Interval) -> str:
    return told(interval, lambda n: f"{n:,.0f}" if n < 1e12 else "more than any number of")


def _seconds_of(interval: Interval, fits: int) -> str:
    return told(interval, lambda value: _time(value * fits))


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.2g} s"


def size(amount: float) -> str:
    """Return bytes as a person reads them.

    >>> size(2.5e8)
    '250 MB'
    """
    return f"{amount / 1e9:,.1f} GB" if amount >= 1e9 else f"{amount / 1e6:,.0f} MB"
