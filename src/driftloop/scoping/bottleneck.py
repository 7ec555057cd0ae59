"""Bottleneck: which step of a process takes the most time, and what a faster one would save.

Intervals: the time of each step is summed over cases, and the cases are drawn again with
replacement (Efron and Tibshirani, 1993), so that the steps of one case stay together.

A step is named when its mean per case surely exceeds every other's, at the level alpha / k of k
steps, so that the chance to name one that takes no more time than some other is about alpha at
most. Times are skewed, for which Student's t errs to one side; so both it and Hall's transform of
it (1992, JRSS B 54:221), t + a t^2 / 3 + a^2 t^3 / 27 + a / 6 with a = skewness / sqrt(n), must
exceed t's quantile.

What a faster step saves of the whole is Amdahl's law (1967): with a share f of the time and s
times the speed, f (1 - 1 / s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from driftloop.evaluation import difference
from driftloop.evaluation.difference import Interval, Resampled
from driftloop_contracts.errors import InvalidInput

CONFIDENCE = 0.95
"""Of two-sided intervals, and of naming a step."""
FEWEST_CASES = 20
"""Cases below which no step is named: resamples of so few say too little."""
RESAMPLES = 2000
WHERE = "the table of steps"


@dataclass(frozen=True)
class StepTime:
    """A step's mean minutes each time it is done, its share of all time, and how often it is."""

    step: str
    count: int
    minutes: Interval
    share: Interval


@dataclass(frozen=True)
class Bottleneck:
    """The steps, longest share first, and which is the bottleneck, if one surely is.

    ``named``: '' where no step surely takes more time than each other; ``lead``: by how much of
    the total the first exceeds the second; ``reason``: a sentence with the numbers.
    """

    steps: tuple[StepTime, ...]
    cases: int
    named: str
    lead: Interval
    reason: str
    sums: Resampled

    @property
    def first(self) -> StepTime:
        """Return the step with the largest share, whether or not it surely is."""
        return self.steps[0]

    def saved(self, step: str = "", minutes: float = 0.0) -> Interval:
        """Return the share of all time saved if ``step`` took ``minutes`` each time.

        ``step``: '' means the first; 0 minutes is a step that is free. Negative where slower.
        """
        name = step or self.first.step
        if name not in {one.step for one in self.steps}:
            allowed = f"one of {[one.step for one in self.steps]}"
            raise InvalidInput("the step", WHERE, allowed, step)
        if not 0 <= minutes < np.inf:
            raise InvalidInput("minutes", "a faster step", "a number from 0 on", minutes)
        own, count = self.sums.of(_time(name)), self.sums.of(_count(name))
        return _interval((own - minutes * count) / self._total())

    def to_data(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        steps = [
            {
                "step": one.step,
                "count": one.count,
                "minutes": list(one.minutes),
                "share": list(one.share),
                "saved_if_free": list(self.saved(one.step)),
            }
            for one in self.steps
        ]
        return {
            "steps": steps,
            "cases": self.cases,
            "named": self.named,
            "lead": list(self.lead),
            "reason": self.reason,
        }

    def _total(self) -> Any:
        return sum(self.sums.of(_time(one.step)) for one in self.steps)


def bottleneck(
    steps: pd.DataFrame, rng: np.random.Generator | None = None, resamples: int = RESAMPLES
) -> Bottleneck:
    """Return where the time of a process lies.

    ``steps``: one row each time a step was done, with ``step`` and either ``minutes`` or ``start``
    and ``end``; ``case`` where several rows belong to one case (else each row is its own). Waiting
    is a step like others, if it has rows. Raise InvalidInput for a table that cannot be used.

    >>> table = pd.DataFrame({"case": list(range(40)) * 2, "step": ["sort"] * 40 + ["answer"] * 40})
    >>> found = bottleneck(table.assign(minutes=[9.0] * 40 + [3.0] * 40))
    >>> found.named, found.first.share.estimate, found.saved(minutes=3.0).estimate
    ('sort', 0.75, 0.5)
    """
    minutes, names = _minutes(steps), steps["step"].astype(str)
    cases = steps["case"] if "case" in steps else pd.Series(range(len(steps)), index=steps.index)
    if cases.isna().any():
        raise InvalidInput("column 'case'", WHERE, "present in every row", "nothing")
    kinds = sorted(names.unique())
    columns = {_time(name): minutes.where(names == name, 0.0) for name in kinds}
    columns |= {_count(name): (names == name).astype("float64") for name in kinds}
    sums = difference.resample(columns, cases, resamples, rng or np.random.default_rng(0))
    total = np.maximum(sum(sums.of(_time(name)) for name in kinds), 1e-300)
    found = sorted((_step(sums, name, total) for name in kinds), key=lambda one: -one.share[1])
    each = pd.DataFrame({name: columns[_time(name)] for name in kinds}).groupby(cases).sum()
    return _named(tuple(found), each, sums, total)


def _minutes(steps: pd.DataFrame) -> pd.Series[float]:
    if steps.empty:
        raise InvalidInput("its rows", WHERE, "one or more", "none")
    if "step" not in steps:
        raise InvalidInput("column 'step'", WHERE, "present", "nothing")
    if steps["step"].isna().any():
        raise InvalidInput("column 'step'", WHERE, "present in every row", "nothing")
    minutes = _given(steps) if "minutes" in steps else _between(steps)
    bad = minutes[~((minutes >= 0) & np.isfinite(minutes))]
    if len(bad):
        allowed = "a time from 0 minutes on in every row"
        raise InvalidInput("the time of a step", WHERE, allowed, bad.iloc[0])
    if not minutes.sum() > 0:
        raise InvalidInput("the time of all steps", WHERE, "above 0 minutes", 0)
    return minutes


def _given(steps: pd.DataFrame) -> pd.Series[float]:
    return pd.to_numeric(steps["minutes"], errors="coerce").astype("float64")


def _between(steps: pd.DataFrame) -> pd.Series[float]:
    for name in ("start", "end"):
        if name not in steps:
            raise InvalidInput(f"column '{name}'", WHERE, "present, or 'minutes'", "nothing")
        if not pd.api.types.is_datetime64_any_dtype(steps[name]):
            raise InvalidInput(f"column '{name}'", WHERE, "times", str(steps[name].dtype))
    try:
        return (steps["end"] - steps["start"]).dt.total_seconds() / 60
    except TypeError:
        raise InvalidInput("start and end", WHERE, "both with a zone, or neither", "one") from None


def _step(sums: Resampled, name: str, total: Any) -> StepTime:
    time, count = sums.of(_time(name)), sums.of(_count(name))
    # A resample without the step says nothing of its minutes.
    each = np.where(count > 0, time / np.maximum(count, 1), time[0] / count[0])
    return StepTime(name, int(count[0]), _interval(each), _interval(time / total))


def _named(
    found: tuple[StepTime, ...], each: pd.DataFrame, sums: Resampled, total: Any
) -> Bottleneck:
    """Return the finding; ``each``: minutes of every case, a column a step."""
    first, cases, level = found[0].step, len(each), (1 - CONFIDENCE) / len(found)
    # All must hold, so each at alpha / k is enough, whichever of the k comes out first.
    surely = all(_exceeds((each[first] - each[one.step]).to_numpy(), level) for one in found[1:])
    lead = Interval(1.0, 1.0, 1.0)
    if len(found) > 1:
        lead = _interval((sums.of(_time(first)) - sums.of(_time(found[1].step))) / total)
    named = first if surely and cases >= FEWEST_CASES else ""
    return Bottleneck(found, cases, named, lead, _reason(found, cases, named, lead), sums)


def _exceeds(differences: Any, level: float) -> bool:
    """Return whether the mean difference is above 0, at a one-sided level."""
    n, mean, spread = len(differences), differences.mean(), differences.std()
    if n < 2 or not spread > 1e-12 * abs(mean):
        return bool(mean > 0)
    t = mean / spread * np.sqrt(n - 1)
    a = ((differences - mean) ** 3).mean() / spread**3 / np.sqrt(n)
    adjusted = t + a * t**2 / 3 + a**2 * t**3 / 27 + a / 6
    return bool(min(t, adjusted) > stats.t.ppf(1 - level, n - 1))


def _reason(found: tuple[StepTime, ...], cases: int, named: str, lead: Interval) -> str:
    first = found[0]
    low, share, high = first.share
    takes = f"'{first.step}' takes {share:.0%} ({low:.0%} to {high:.0%}) of the time"
    if named:
        return f"{takes} of {cases:,} cases, more than any other step."
    if cases < FEWEST_CASES:
        return f"{takes}, but {cases} cases are too few to tell; it takes {FEWEST_CASES}."
    return (
        f"{takes} of {cases:,} cases, but it cannot be told from '{found[1].step}': it leads by "
        f"{lead.estimate:.0%} ({lead.low:.0%} to {lead.high:.0%}) of the total."
    )


def _interval(values: Any) -> Interval:
    """Return the first value between the two-sided bounds of the others."""
    low, high = np.quantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(values[0]), float(high))


def _time(step: str) -> str:
    return f"time of {step}"


def _count(step: str) -> str:
    return f"count of {step}"
