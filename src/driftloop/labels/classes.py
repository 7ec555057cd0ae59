"""Classes: the names that a label may have, and labels as places among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]

NONE = -1
"""The code of a label that is not there: an abstention, or a row that nobody labelled."""


def required(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the class names; raise InvalidInput unless they are two or more different texts."""
    names = tuple(classes)
    texts = all(isinstance(name, str) and name.strip() for name in names)
    if len(names) < 2 or not texts or len(set(names)) < len(names):
        raise InvalidInput("the classes", "the labels", "two or more different names", list(names))
    return names


def codes(labels: Any, classes: Sequence[str], where: str) -> Codes:
    """Return each label's place in ``classes``, ``NONE`` where it is missing.

    ``where``: what a message says of the labels. Raise InvalidInput for a label that is no class.

    >>> codes(["spam", None, "ham"], ("ham", "spam"), "an example").tolist()
    [1, -1, 0]
    """
    places = {name: place for place, name in enumerate(classes)}
    found = np.full(len(labels), NONE)
    for row, label in enumerate(labels):
        if isinstance(label, str) and label in places:
            found[row] = places[label]
        elif not _missing(label):
            raise InvalidInput("a label", where, f"one of {list(classes)}", label)
    return found


def places(rows: pd.DataFrame, classes: Sequence[str]) -> Codes:
    """Return the place of each row's ``category``; raise InvalidInput for one that is no class."""
    found: Codes = pd.Index(classes).get_indexer(pd.Index(rows[CATEGORY]))
    if (found < 0).any():
        odd = rows[CATEGORY].to_numpy()[found < 0][0]
        raise InvalidInput("a category", "the rows", f"one of {list(classes)}", odd)
    return found


def shares(rows: pd.DataFrame, classes: Sequence[str]) -> Floats:
    """Return each class's share of the impressions, each with one more than came."""
    counts = np.bincount(places(rows, classes), rows["weight"], len(classes)) + 1.0
    found: Floats = counts / counts.sum()
    return found


def _missing(label: Any) -> bool:
    return (
        label is None
        or label is pd.NA
        or label is pd.NaT
        or (isinstance(label, float | np.floating) and bool(np.isnan(label)))
    )


def probabilities(values: Any, rows: int, classes: Sequence[str], where: str) -> Floats:
    """Return ``values`` as an array [rows, classes] whose rows sum to 1.

    A single column, or one number a row, is the probability of the second of two classes. Raise
    InvalidInput for another shape, a number outside 0 to 1, or rows that do not sum to 1.

    >>> probabilities([0.25], 1, ("no", "yes"), "an example").tolist()
    [[0.75, 0.25]]
    """
    try:
        found = np.asarray(values, "float64")
    except (TypeError, ValueError):
        raise InvalidInput("the probabilities", where, "numbers", type(values).__name__) from None
    if len(classes) == 2 and found.shape in ((rows,), (rows, 1)):
        second = found.reshape(-1)
        found = np.stack([1 - second, second], axis=1)
    if found.shape != (rows, len(classes)):
        allowed = f"{rows} rows of {len(classes)} classes"
        raise InvalidInput("the probabilities", where, allowed, found.shape)
    if not np.isfinite(found).all() or found.min(initial=0) < 0 or found.max(initial=0) > 1:
        bad = found[~((found >= 0) & (found <= 1))]
        raise InvalidInput("the probabilities", where, "numbers from 0 to 1", float(bad[0]))
    sums = found.sum(axis=1)
    if rows and np.abs(sums - 1).max() > 1e-3:
        worst = float(sums[np.abs(sums - 1).argmax()])
        raise InvalidInput("the probabilities", where, "of a sum of 1 in each row", worst)
    return found
