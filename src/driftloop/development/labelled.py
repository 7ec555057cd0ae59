"""Labelled: the plain frames that this stage reads, and what makes one unfit.

A row is ``weight`` impressions (1 or more) of which ``positives`` were positive, at
``event_time``, of one entity.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from driftloop.evaluation.difference import Floats
from driftloop_contracts.errors import InvalidInput

FEWEST = 20
"""Positives, and negatives, below which nothing is said."""


def require(rows: pd.DataFrame, columns: Sequence[str], where: str) -> None:
    """Raise InvalidInput for a frame without rows, without a column or with nonsense in it."""
    if rows.empty:
        raise InvalidInput("the rows", where, "one or more", "none")
    for name in ("weight", "positives", *columns):
        if name not in rows:
            raise InvalidInput(f"column '{name}'", where, "present", list(rows.columns))
    weight, positives = counts(rows)
    if not np.all(np.isfinite(weight) & (weight >= 1)):
        raise InvalidInput("column 'weight'", where, "1 or more in every row", weight.min())
    if not np.all((positives >= 0) & (positives <= weight)):
        raise InvalidInput("column 'positives'", where, "from 0 to weight", positives.max())


def require_probability(probability: Floats, rows: pd.DataFrame, where: str) -> None:
    """Raise InvalidInput for what is not a probability of each row."""
    found = np.asarray(probability, "float64")
    if found.shape != (len(rows),):
        raise InvalidInput("the probabilities", where, f"{len(rows)} of them", found.shape)
    if not np.all((found >= 0) & (found <= 1)):
        raise InvalidInput("a probability", where, "from 0 to 1", found[~(found >= 0)][:1].tolist())


def counts(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return each row's weight and positives."""
    return rows["weight"].to_numpy("float64"), rows["positives"].to_numpy("float64")


def has_both(rows: pd.DataFrame) -> bool:
    """Return whether there are positives and negatives enough to say anything."""
    weight, positives = counts(rows)
    return float(min(positives.sum(), (weight - positives).sum())) >= FEWEST


def doubled(
    rows: pd.DataFrame,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats, Floats]:
    """Return (position, label, weight): k of n positives are 1 with k and 0 with n - k.

    >>> parts = doubled(pd.DataFrame({"positives": [1.0, 0.0], "weight": [3.0, 2.0]}))
    >>> [part.tolist() for part in parts]
    [[0, 0, 1], [1.0, 0.0, 0.0], [1.0, 2.0, 2.0]]
    """
    weight, positives = counts(rows)
    position = np.repeat(np.arange(len(rows), dtype="int64"), 2)
    label = np.tile([1.0, 0.0], len(rows))
    share = np.stack([positives, weight - positives], axis=1).reshape(-1)
    kept = share > 0
    return position[kept], label[kept], share[kept]
