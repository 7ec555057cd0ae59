"""Leakage: columns that know the outcome, because they were written after it.

Each column alone predicts half of the entities from the other half, by the rate of positives at
its values (bins of a number). A feature explains a few percent of the outcomes' deviance; one that
explains most of it is no feature of what is to be predicted (Kaufman et al., 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import loss
from driftloop.evaluation.difference import halves

BINS = 20
"""Of a number's values, equally filled."""
PRIOR = 1.0
"""Impressions at the mean rate that a value starts from."""
FEWEST = 20
"""Positives, and negatives, below which nothing is said."""


def explained(
    rows: pd.DataFrame,
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    truth: str = "",
) -> dict[str, float]:
    """Return the share of the outcomes' deviance that each column explains alone.

    ``rows``: ``columns``, ``entity``, ``positives`` and ``weight``; 0 means nothing, 1 all of it.
    ``truth``: the column of the outcomes' class, where they are classes.
    """
    if truth:
        return _of_classes(rows, columns, entity, rng, truth)
    k, n = rows["positives"].to_numpy("float64"), rows["weight"].to_numpy("float64")
    if min(k.sum(), (n - k).sum()) < FEWEST:
        return {}
    half = halves(rows[entity], rng)
    return {column: _explained(_values(rows[column]), half, k, n) for column in columns}


def _of_classes(
    rows: pd.DataFrame, columns: Sequence[str], entity: str, rng: np.random.Generator, truth: str
) -> dict[str, float]:
    codes, names = pd.factorize(rows[truth], sort=True)
    weight = rows["weight"].to_numpy("float64")
    if (np.bincount(codes, weight, len(names)) >= FEWEST).sum() < 2:
        return {}
    half = halves(rows[entity], rng)
    return {
        column: _explained_classes(_values(rows[column]), half, codes, weight) for column in columns
    }


def _explained_classes(values: Any, half: Any, codes: Any, weight: Any) -> float:
    """Return 1 - cross-entropy / that of the classes' shares, each half from the other."""
    own = usual = 0.0
    classes, count = int(codes.max()) + 1, int(values.max()) + 1
    for side in (0, 1):
        seen, judged = half != side, half == side
        shares = np.bincount(codes[seen], weight[seen], classes) + PRIOR / classes
        shares /= shares.sum()
        cells = np.bincount(values[seen] * classes + codes[seen], weight[seen], count * classes)
        shown = cells.reshape(count, classes) + PRIOR * shares
        rates = shown / shown.sum(axis=1, keepdims=True)
        truth, weights = codes[judged], weight[judged]
        own -= float((weights * np.log(rates[values[judged], truth])).sum())
        usual -= float((weights * np.log(shares[truth])).sum())
    return 1 - own / usual if usual > 0 else 0.0


def _explained(values: Any, half: Any, k: Any, n: Any) -> float:
    """Return 1 - loss / loss of the mean, each half predicted from the other."""
    own = usual = 0.0
    for side in (0, 1):
        seen, judged = half != side, half == side
        rate = (k[seen].sum() + PRIOR / 2) / (n[seen].sum() + PRIOR)
        count = int(values.max()) + 1
        positives = np.bincount(values[seen], k[seen], count)
        shown = np.bincount(values[seen], n[seen], count)
        rates = ((positives + PRIOR * rate) / (shown + PRIOR))[values[judged]]
        own += float(loss.log_loss(rates, k[judged], n[judged]).sum())
        mean = np.full(int(judged.sum()), rate)
        usual += float(loss.log_loss(mean, k[judged], n[judged]).sum())
    return 1 - own / usual if usual > 0 else 0.0


def _values(column: pd.Series[Any]) -> Any:
    """Return each row's value as a small number; a missing one is a value like others."""
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > BINS:
        cuts = np.unique(column.quantile(np.arange(1, BINS) / BINS).to_numpy())
        places = np.searchsorted(cuts, column.to_numpy("float64"))
        return np.where(column.isna().to_numpy(), len(cuts) + 1, places)
    return pd.factorize(column, use_na_sentinel=False)[0]
