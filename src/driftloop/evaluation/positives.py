"""Positives: how many a model needs to be judged by, and to be learnt from."""

from __future__ import annotations

import math

from scipy import special

from driftloop.evaluation.ruling import POWER

AREA = 0.7
"""The area under the ROC curve of a model that is of some use; half is none."""
CONFIDENCE = 0.95
EXPLAINED = 0.15
"""Share of what could be explained that a model may hope for (Riley et al., 2019)."""
SHRINKAGE = 0.9
"""Share of its slope that a model shall keep on new rows (Riley et al., 2019)."""


def to_judge(area: float = AREA, confidence: float = CONFIDENCE, power: float = POWER) -> int:
    """Return the positives that tell a model of this area under the ROC curve from chance.

    ``power``: the chance to see it. Negatives are taken to be many: then the area of a model
    without skill has the variance 1 / (12 positives) (Mann and Whitney, 1947).

    >>> to_judge(0.7), to_judge(0.55)
    (15, 240)
    """
    reach = float(special.ndtri(confidence) + special.ndtri(power))
    return math.ceil((reach / (area - 0.5)) ** 2 / 12)


def to_learn(
    parameters: int,
    rate: float,
    explained: float = EXPLAINED,
    shrinkage: float = SHRINKAGE,
) -> int:
    """Return the positives from which so many parameters are learnt without much overfitting.

    Rows n = parameters / ((shrinkage - 1) log(1 - r / shrinkage)), of which ``rate`` are positive,
    with r the Cox-Snell share that a model ``explained`` of what is possible has (Riley et al.,
    2019, "Minimum sample size for developing a multivariable prediction model", part II).

    >>> to_learn(10, 0.5), to_learn(10, 0.0001)
    (375, 30)
    """
    entropy = -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))
    possible = -math.expm1(-2 * entropy)
    rows = parameters / ((shrinkage - 1) * math.log1p(-explained * possible / shrinkage))
    return math.ceil(rows * rate)
