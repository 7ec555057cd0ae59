"""Out of fold: probabilities of each row by a model that saw neither it nor its entity's rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from driftloop.labels.classes import NONE, Codes, Floats
from driftloop_contracts.errors import InvalidInput

FOLDS = 5
FitAndPredict = Callable[[Codes, Codes], Any]
"""Fits on the rows at the first positions, returns the second ones' probabilities."""


def probabilities(
    fit_and_predict: FitAndPredict,
    labels: Codes,
    rng: np.random.Generator,
    *,
    folds: int = FOLDS,
    entities: Any = None,
) -> Floats:
    """Return the probabilities [rows, classes] (or [rows]) of every row, each from its own fold.

    ``labels``: codes, -1 for rows that are predicted and not learnt from; ``entities``: rows of the
    same one share a fold, for they are alike. Raise InvalidInput where there are fewer rows or
    entities than folds.
    """
    fold = _folds(labels, rng, folds, entities)
    positions, found = np.arange(len(labels)), None
    for number in range(folds):
        inside = fold == number
        given = np.asarray(
            fit_and_predict(positions[~inside & (labels != NONE)], positions[inside]), "float64"
        )
        if found is None:
            found = np.full((len(labels), *given.shape[1:]), np.nan)
        found[inside] = given
    assert found is not None
    return found


def _folds(labels: Codes, rng: np.random.Generator, folds: int, entities: Any) -> Codes:
    """Return each row's fold: by entity, or with each class spread evenly."""
    units = len(labels) if entities is None else pd.Series(entities).nunique(dropna=False)
    if units < folds or folds < 2:
        what = "rows" if entities is None else "entities"
        raise InvalidInput(
            "the folds", "the search for label errors", f"2 to {units} {what}", folds
        )
    if entities is not None:
        codes, named = pd.factorize(pd.Series(entities), use_na_sentinel=False)
        return np.asarray(rng.permutation(len(named)) % folds)[codes]
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    found = np.empty(len(labels), dtype="int64")
    found[order] = np.arange(len(labels)) % folds
    return found
