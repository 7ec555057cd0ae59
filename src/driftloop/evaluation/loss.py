"""Loss of probabilities on rows that are so many impressions with so many positives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1, so that one sure mistake is not infinite."""


def log_loss(probability: ArrayLike, positives: ArrayLike, weight: ArrayLike) -> Floats:
    """Return each row's total log loss in nats, summed over its impressions.

    >>> log_loss([0.5], [1], [2]).round(4).tolist()
    [1.3863]
    """
    p = np.clip(np.asarray(probability, "float64"), CLIP, 1 - CLIP)
    k, n = np.asarray(positives, "float64"), np.asarray(weight, "float64")
    losses: Floats = -(k * np.log(p) + (n - k) * np.log1p(-p))
    return losses


def brier(probability: ArrayLike, positives: ArrayLike, weight: ArrayLike) -> Floats:
    """Return each row's total squared error, summed over its impressions.

    >>> brier([0.5], [1], [2]).tolist()
    [0.5]
    """
    p = np.asarray(probability, "float64")
    k, n = np.asarray(positives, "float64"), np.asarray(weight, "float64")
    errors: Floats = k * (1 - p) ** 2 + (n - k) * p**2
    return errors


def mean_log_loss(probability: ArrayLike, positives: ArrayLike, weight: ArrayLike) -> float:
    """Return the log loss per impression in nats."""
    total: Any = log_loss(probability, positives, weight).sum()
    return float(total / np.sum(np.asarray(weight, "float64")))


def entropy(rate: ArrayLike) -> Floats:
    """Return the log loss in nats of always predicting a rate that holds.

    >>> entropy([0.0, 0.5]).round(4).tolist()
    [0.0, 0.6931]
    """
    p = np.asarray(rate, "float64")
    found: Floats = special.entr(p) + special.entr(1 - p)
    return found


def base_entropy(positives: ArrayLike, weight: ArrayLike) -> float:
    """Return the log loss per impression of always predicting the rows' own base rate."""
    k, n = float(np.sum(np.asarray(positives))), float(np.sum(np.asarray(weight)))
    return mean_log_loss([k / n], [k], [n])
