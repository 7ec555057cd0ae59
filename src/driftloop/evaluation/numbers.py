"""Numbers: what labelled rows come to, under the names that a KPI's formula may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from driftloop.evaluation import loss


@dataclass(frozen=True)
class Numbers:
    """Sums and means over rows of one stretch of time; losses in nats per impression."""

    rows: float
    impressions: float
    positives: float
    mean_prediction: float
    log_loss: float
    base_entropy: float

    def values(self) -> dict[str, float]:
        """Return the numbers by name, the names a KPI's formula may use."""
        rate = self.positives / self.impressions
        return asdict(self) | {"rate": rate}


def of_sums(
    rows: float, impressions: float, positives: float, predicted: float, lost: float
) -> Numbers:
    """Return the numbers of rows by their sums: ``predicted`` positives, ``lost`` nats."""
    return Numbers(
        rows=rows,
        impressions=impressions,
        positives=positives,
        mean_prediction=predicted / impressions,
        log_loss=lost / impressions,
        base_entropy=loss.base_entropy([positives], [impressions]),
    )


def score(probability: ArrayLike, positives: ArrayLike, weight: ArrayLike) -> Numbers:
    """Return the numbers of rows that all have a prediction and a known outcome.

    >>> score([0.5, 0.5], [1, 0], [1, 1]).rows
    2
    """
    p, n = np.asarray(probability, "float64"), np.asarray(weight, "float64")
    lost = float(loss.log_loss(p, positives, n).sum())
    known = float(np.sum(np.asarray(positives)))
    return of_sums(len(p), float(n.sum()), known, float((p * n).sum()), lost)
