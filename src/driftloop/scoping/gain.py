"""Gain: by how much ML's loss is less than the best rule's, now and with all rows there are.

Both are judged on the same rows, whose entities are drawn again together (difference.py), so what
makes a period easy or hard for both cancels out. What more rows would take off ML's loss comes
from the draws of its learning curve.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from driftloop.evaluation import difference
from driftloop.evaluation.difference import Interval
from driftloop.scoping.learning_curve import LearningCurve
from driftloop_contracts.errors import InvalidInput

CONFIDENCE = 0.95
"""Of two-sided intervals."""
RESAMPLES = 1000


def gain(
    ml: ArrayLike,
    rule: ArrayLike,
    weight: ArrayLike,
    entities: ArrayLike,
    rng: np.random.Generator | None = None,
    *,
    curve: LearningCurve | None = None,
    rows: tuple[float, float] = (1.0, 1.0),
) -> Interval:
    """Return 1 - loss of ML / loss of the rule, between its two-sided bounds.

    ``ml``, ``rule``: each row's total loss, of ``weight`` impressions; ``entities``: whose rows
    rise and fall together; ``curve``: of ML's loss per impression, with ``rows``: how many the
    judged model was fitted on, and how many the one in question would be. Any loss will do that is
    a sum over rows.

    >>> import numpy as np
    >>> found = gain(np.full(100, 0.5), np.ones(100), np.ones(100), np.arange(100))
    >>> round(found.estimate, 6)
    0.5
    """
    lost = [np.asarray(values, "float64") for values in (ml, rule, weight)]
    if len({len(values) for values in lost}) > 1 or not all(np.isfinite(v).all() for v in lost):
        raise InvalidInput("the losses", "the gain", "a number a row, of the same rows", "others")
    if not lost[1].sum() > 0:
        raise InvalidInput("the rule's loss", "the gain", "above 0", float(lost[1].sum()))
    names = ("ml", "rule", "weight")
    keys = pd.Series(np.asarray(entities))
    drawn = difference.resample(
        dict(zip(names, lost, strict=True)), keys, RESAMPLES, rng or np.random.default_rng(0)
    )
    own, usual = drawn.of("ml"), np.maximum(drawn.of("rule"), 1e-300)
    if curve is not None:
        less = curve.losses(rows[0]) - curve.losses(rows[1])
        own = own - np.resize(less, len(own)) * drawn.of("weight")
    values = 1 - own / usual
    low, high = np.quantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    middle = float(values[0])
    return Interval(min(float(low), middle), middle, max(float(high), middle))
