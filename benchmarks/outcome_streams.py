"""Outcomes that follow predictions, and some that stop to: streams for alarms.py.

5,000 rows a day whose log-odds are -3.5 + x; the model knows this, is judged on 6 held-out days
and trained on 60. The whole budget of one false alarm in 90 days is the two tests'.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from peer_rules import DAY, PER_DAY
from scipy import special

from driftloop_contracts.drift import concept, level
from driftloop_contracts.drift.concept import Concept, Judged

HELD_OUT, TRAINED, BUDGET_DAYS, MIN_EFFECT = 6, 60, 90, 0.05
LEVEL = level.of_test(1 / (BUDGET_DAYS * DAY), DAY, level.OUTCOMES)

Stream = Callable[[int, np.random.Generator], Judged]


def outcomes(
    days: int,
    rng: np.random.Generator,
    *,
    slope: float = 1.0,
    moods: float = 0.0,
    late: bool = False,
) -> Judged:
    """Return ``days`` of rows; ``slope``: of what happens on x; ``moods``: of days, log-odds."""
    day = np.arange(days * PER_DAY) // PER_DAY
    x = rng.normal(size=len(day)) + (0.5 * ((day + 3) % 7 >= 5) if late else 0)
    mood = moods * rng.normal(size=days)[day]
    came = rng.random(len(x)) < special.expit(-3.5 + slope * x + mood)
    return Judged(special.expit(-3.5 + x), came.astype(float), np.ones(len(x)), day)


QUIET: dict[str, Stream] = {
    "outcomes": outcomes,
    "outcomes, days of moods": lambda days, rng: outcomes(days, rng, moods=0.1),
    "outcomes, mix by weekday": lambda days, rng: outcomes(days, rng, late=True),
}


def flagged(known: Concept, rows: Judged) -> bool:
    """Return whether the rows are told to have left their predictions."""
    seen = known.count(rows.probability, rows.positives, rows.weight)
    return any(test.shift for test in known.judge(seen, LEVEL))


def quiet(stream: Stream, seed: int, days: int) -> int:
    """Return the alarms in as many quiet days."""
    rng = np.random.default_rng(seed)
    known = concept.measure(stream(HELD_OUT, rng), stream(TRAINED, rng), MIN_EFFECT)
    rows = stream(days, rng)
    parts = (slice(day * PER_DAY, (day + 1) * PER_DAY) for day in range(days))
    return sum(flagged(known, among(rows, part)) for part in parts)


def among(rows: Judged, part: slice | np.ndarray) -> Judged:
    """Return some of the rows."""
    return Judged(rows.probability[part], rows.positives[part], rows.weight[part], rows.cells[part])


def until_found(seed: int, limit: int) -> tuple[int, int]:
    """Return rows from a flip of the concept until an alarm, or -1, and false alarms before it."""
    rng = np.random.default_rng(seed)
    known = concept.measure(outcomes(HELD_OUT, rng), outcomes(TRAINED, rng), MIN_EFFECT)
    before, flip = outcomes(2, rng), outcomes(limit // PER_DAY + 1, rng, slope=-1.0)
    columns = (np.concatenate(pair) for pair in zip(_fields(before), _fields(flip), strict=True))
    rows, onset = Judged(*columns), len(before)
    shift, false = int(rng.integers(PER_DAY)), 0
    for first in range(shift, onset + limit - PER_DAY + 1, PER_DAY):
        if flagged(known, among(rows, slice(first, first + PER_DAY))):
            if first + PER_DAY > onset:
                return first + PER_DAY - onset, false
            false += 1
    return -1, false


def _fields(rows: Judged) -> tuple[np.ndarray, ...]:
    return rows.probability, rows.positives, rows.weight, rows.cells
