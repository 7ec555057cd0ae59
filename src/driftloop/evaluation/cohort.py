"""Cohort: mature outcomes joined with what was predicted, as a few numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from driftloop.evaluation import loss


@dataclass(frozen=True)
class Cohort:
    """Sums and means over rows of one stretch of time; losses in nats per impression."""

    rows: int
    impressions: float
    positives: float
    mean_prediction: float
    log_loss: float
    base_entropy: float

    def values(self) -> dict[str, float]:
        """Return the numbers by name, the names a KPI's formula may use."""
        rate = self.positives / self.impressions
        return asdict(self) | {"rate": rate}


def score(probability: ArrayLike, positives: ArrayLike, weight: ArrayLike) -> Cohort:
    """Return the cohort of rows that all have a prediction and a known outcome.

    >>> score([0.5, 0.5], [1, 0], [1, 1]).rows
    2
    """
    p, n = np.asarray(probability, "float64"), np.asarray(weight, "float64")
    return Cohort(
        rows=len(p),
        impressions=float(n.sum()),
        positives=float(np.sum(np.asarray(positives))),
        mean_prediction=float((p * n).sum() / n.sum()),
        log_loss=loss.mean_log_loss(p, positives, n),
        base_entropy=loss.base_entropy(positives, n),
    )
