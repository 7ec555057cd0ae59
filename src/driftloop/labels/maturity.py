"""Maturity: how old a record must be for its label to count, said or found from the delays.

Where a completeness is asked for, the maturity is the smallest delay d at which the lower bound
of F (delays.py) reaches it, there and at every greater delay. The promise: the chance to use a d
by which less than that share has come, of the outcomes that come within the ceiling at all, is
at most 1 - ``CONFIDENCE``. The ceiling is the configured maturity. It assumes that

- delays do not depend on the record's age, nor on each other: a source that became slower is
  found out only as late as its outcomes come;
- outcomes later than the ceiling are none (F is conditional on D <= ceiling);
- a positive that was seen is not taken back and given again.

No bound is reached while too few outcomes are of records as old as the ceiling; with completeness
c and confidence p that is fewer than log(1 - p) / log(c), 299 for 99 % and 95 %. Then, or where
the ceiling itself is needed, the configured maturity is used, and the reason is told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from driftloop import instants
from driftloop.instants import Micros
from driftloop.labels import delays
from driftloop.labels.delays import Claims, DelayCurve
from driftloop.quantities import show_duration
from driftloop.spec.data import LabelSource

CONFIDENCE = 0.95
"""Of each one-sided bound. Safe range 0.8 to 0.99; more asks for more old outcomes."""

SECOND = instants.length(timedelta(seconds=1))


class Interval(NamedTuple):
    """The delay by which the completeness is reached, with its one-sided confidence bounds."""

    low: timedelta
    estimate: timedelta
    high: timedelta


@dataclass(frozen=True)
class Maturity:
    """The age from which labels count; ``reason`` is a sentence for a person.

    ``interval``: None where the maturity is the configured one; else ``duration`` is its upper
    bound.
    """

    duration: timedelta
    reason: str
    interval: Interval | None = None

    @property
    def estimated(self) -> bool:
        """Return whether the delays said it."""
        return self.interval is not None


def of(source: LabelSource, delay: Micros, age: Micros) -> Maturity:
    """Return the maturity of ``source``, whose positives came ``delay`` after their record.

    ``delay``, ``age`` (of the record at the cut-off, at least the delay): microseconds, one each
    an arrival. n log n.
    """
    if source.completeness is None:
        return Maturity(source.maturity, "As configured.")
    return estimate(delay, age, source.maturity, source.completeness)


def estimate(delay: Micros, age: Micros, ceiling: timedelta, completeness: float) -> Maturity:
    """Return the maturity at which ``completeness`` (in (0, 1)) is reached, at most ``ceiling``.

    >>> hour = 3_600_000_000
    >>> delay, age = np.full(500, hour), np.full(500, 40 * hour)
    >>> estimate(delay, age, timedelta(days=1), 0.99).duration
    datetime.timedelta(seconds=3600)
    >>> estimate(delay[:9], age[:9], timedelta(days=1), 0.99).duration
    datetime.timedelta(days=1)
    """
    curve = delays.curve(delay, age, instants.length(ceiling))
    found = (
        _first(curve, curve.possibly(completeness, CONFIDENCE)),
        _first(curve, curve.share >= completeness),
        _first(curve, curve.surely(completeness, CONFIDENCE)),
    )
    low, middle, high = found
    if low is None or middle is None or high is None:
        return Maturity(ceiling, _refusal(curve, ceiling, completeness))
    says = f"{_percent(completeness)} of the outcomes come within {show_duration(high)}, by"
    return Maturity(high, f"{says} {curve.arrived.sum()} arrivals.", Interval(low, middle, high))


def _first(curve: DelayCurve, reached: Claims) -> timedelta | None:
    """Return the smallest delay from which on all is ``reached``, in whole seconds."""
    missed = np.flatnonzero(~reached)
    place = int(missed[-1]) + 1 if len(missed) else 0
    if place == len(reached):
        return None
    # The ceiling is whole seconds too, so rounding up stays below it.
    return timedelta(seconds=-(-int(curve.delay[place]) // SECOND))


def _refusal(curve: DelayCurve, ceiling: timedelta, completeness: float) -> str:
    needed = math.ceil(math.log(1 - CONFIDENCE) / math.log(completeness))
    if curve.waited >= needed:
        return f"{_percent(completeness)} of the outcomes need the whole {show_duration(ceiling)}."
    return (
        f"Too few outcomes to tell: {curve.waited} of records at least {show_duration(ceiling)} "
        f"old, where {_percent(completeness)} needs {needed} or more."
    )


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
