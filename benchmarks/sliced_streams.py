"""Outcomes of five slices, of which one may stop to follow its predictions: streams for alarms.py.

5,000 rows a day, log-odds -3.5 + x; the slices hold 40, 30, 15, 10 and 5 % of them. Whole and
slices share the budget of one false alarm in 90 days as driftloop_contracts.drift.level says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from outcome_streams import BUDGET_DAYS, HELD_OUT, MIN_EFFECT, TRAINED, among
from peer_rules import DAY, PER_DAY
from scipy import special

from driftloop_contracts.drift import concept, level
from driftloop_contracts.drift.concept import Concept, Followed, Judged

SHARES = (0.4, 0.3, 0.15, 0.1, 0.05)
WHOLE, EACH = level.shared(level.OUTCOMES, len(SHARES))
LONGEST = 7
"""Days after which a slice is judged with the rows that it has."""


def rows(
    days: int, rng: np.random.Generator, *, flipped: int = -1, moods: float = 0.0
) -> tuple[Judged, np.ndarray]:
    """Return ``days`` of rows and each one's slice; ``flipped``: whose slope on x is -1.

    ``moods``: log-odds that a day adds to all rows, and to those of each slice.
    """
    day = np.arange(days * PER_DAY) // PER_DAY
    kind, x = rng.choice(len(SHARES), len(day), p=SHARES), rng.normal(size=len(day))
    mood = moods * rng.normal(size=(days, len(SHARES) + 1))
    odds = -3.5 + np.where(kind == flipped, -x, x) + mood[day, kind] + mood[day, -1]
    came = (rng.random(len(x)) < special.expit(odds)).astype(float)
    return Judged(special.expit(-3.5 + x), came, np.ones(len(x)), day), kind


def measured(rng: np.random.Generator, moods: float = 0.0) -> tuple[Concept, list[Concept]]:
    """Return the concept of all rows and of each slice."""
    (late, a), (early, b) = (rows(days, rng, moods=moods) for days in (HELD_OUT, TRAINED))
    parts = [
        concept.measure_slice(among(late, a == n), among(early, b == n), MIN_EFFECT)
        for n in range(len(SHARES))
    ]
    return concept.measure(late, early, MIN_EFFECT), parts


class Watch:
    """Follows the outcomes of all rows (``tests`` WHOLE, every day) or of a slice (EACH)."""

    def __init__(self, known: Concept, tests: int) -> None:
        self.known, self.tests, self.days = known, tests, 0
        self.seen: Followed | None = None

    def told(self, day: Judged) -> bool:
        """Take a day's rows and return whether all since the last judgement left predictions."""
        more = self.known.count(day.probability, day.positives, day.weight)
        self.seen, self.days = self.seen + more if self.seen else more, self.days + 1
        enough = self.tests == WHOLE or self.seen.likely >= concept.SLICE_LIKELY
        if not enough and self.days < LONGEST:
            return False
        at = level.of_test(1 / (BUDGET_DAYS * DAY), self.days * DAY, self.tests)
        found = any(test.shift for test in self.known.judge(self.seen, at))
        self.seen, self.days = None, 0
        return found


def watches(rng: np.random.Generator, moods: float = 0.0) -> tuple[Watch, list[Watch]]:
    """Return what follows all rows, and what follows each slice."""
    whole, parts = measured(rng, moods)
    return Watch(whole, WHOLE), [Watch(one, EACH) for one in parts]


def quiet(seed: int, days: int, moods: float = 0.0) -> int:
    """Return the alarms of whole and slices in as many quiet days."""
    rng = np.random.default_rng(seed)
    whole, parts = watches(rng, moods)
    alarms = 0
    for _ in range(days):
        day, kind = rows(1, rng, moods=moods)
        alarms += whole.told(day)
        alarms += sum(one.told(among(day, kind == n)) for n, one in enumerate(parts))
    return alarms


def until_found(seed: int, limit: int, flipped: int) -> tuple[int, int]:
    """Return rows of all until a slice that flips is found, or -1, and alarms of the others."""
    rng = np.random.default_rng(seed)
    _, parts = watches(rng)
    others = 0
    for first in range(0, limit - PER_DAY + 1, PER_DAY):
        day, kind = rows(1, rng, flipped=flipped)
        found = [one.told(among(day, kind == n)) for n, one in enumerate(parts)]
        others += sum(found) - found[flipped]
        if found[flipped]:
            return first + PER_DAY, others
    return -1, others


QUIET: dict[str, Callable[[int, int], int]] = {
    "outcomes by slice": quiet,
    "outcomes by slice, days of moods": partial(quiet, moods=0.1),
}
FLIPS: dict[str, Callable[[int, int], tuple[int, int]]] = {
    f"concept flip in {SHARES[place]:.0%}": partial(until_found, flipped=place) for place in (3, 4)
}
