"""Numbers: what labelled rows come to, under the names that a KPI's formula may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from driftloop.evaluation import loss


@dataclass(frozen=True)
class Numbers:
    """Sums and means over rows of one stretch of time; losses in nats per impression.

    Where outcomes are classes a positive is an answer that was right, and these are impressions:
    ``decided`` whose answer was given (no person was asked), ``decided_right`` and right as well.
    """

    rows: float
    impressions: float
    positives: float
    mean_prediction: float
    log_loss: float
    base_entropy: float
    decided: float | None = None
    decided_right: float | None = None

    def values(self) -> dict[str, float]:
        """Return the numbers by name, the names a KPI's formula may use."""
        rate = self.positives / self.impressions
        told = {name: value for name, value in asdict(self).items() if value is not None}
        return told | {"rate": rate}


def of_sums(
    rows: float,
    impressions: float,
    positives: float,
    predicted: float,
    lost: float,
    decided: float | None = None,
    decided_right: float | None = None,
) -> Numbers:
    """Return the numbers of rows by their sums: ``predicted`` positives, ``lost`` nats."""
    return Numbers(
        rows=rows,
        impressions=impressions,
        positives=positives,
        mean_prediction=predicted / impressions,
        log_loss=lost / impressions,
        base_entropy=loss.base_entropy([positives], [impressions]),
        decided=decided,
        decided_right=decided_right,
    )


def score(
    probability: ArrayLike,
    positives: ArrayLike,
    weight: ArrayLike,
    decided: ArrayLike | None = None,
) -> Numbers:
    """Return the numbers of rows that all have a prediction and a known outcome.

    ``decided``: whether each answer was given, where they are among classes.

    >>> score([0.5, 0.5], [1, 0], [1, 1]).rows
    2
    """
    p, n = np.asarray(probability, "float64"), np.asarray(weight, "float64")
    lost = float(loss.log_loss(p, positives, n).sum())
    known = float(np.sum(np.asarray(positives)))
    sums = [float(n.sum()), known, float((p * n).sum()), lost]
    if decided is not None:
        given = np.asarray(decided, "float64")
        sums += [float((given * n).sum()), float((given * np.asarray(positives, "float64")).sum())]
    return of_sums(len(p), *sums)
