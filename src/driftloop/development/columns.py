"""Columns: their values as few numbers, and which columns go together.

Two columns go together as far as the larger of two says: Spearman's rank correlation (of two
numbers), and Cramer's V of their bins, less its bias (Bergsma, 2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from driftloop.evaluation.difference import Floats

BINS = 10
"""Of a number's values, and most frequent values of a category."""
MOST_ROWS = 4000
"""Rows on which the association is measured: its error is then below 0.02."""
TOGETHER = 0.7
"""Association from which on two columns are permuted together."""


def binned(values: pd.Series[Any], seen: pd.Series[Any] | None = None, bins: int = BINS) -> Any:
    """Return each row's bin: missing is 0; edges and categories are those of ``seen``."""
    known = values if seen is None else seen
    missing = values.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(known) and known.nunique() > bins:
        cuts = np.unique(known.quantile(np.arange(1, bins) / bins).to_numpy("float64"))
        return np.where(missing, 0, 1 + np.searchsorted(cuts, values.to_numpy("float64")))
    kinds = known.dropna().value_counts().index[:bins]
    codes = pd.Categorical(values, kinds).codes.astype("int64")
    return np.where(missing, 0, np.where(codes < 0, len(kinds) + 1, codes + 1))


def association(rows: pd.DataFrame, columns: Sequence[str], rng: np.random.Generator) -> Floats:
    """Return how much each two columns go together, 0 to 1, [columns, columns]."""
    some = rows
    if len(rows) > MOST_ROWS:
        some = rows.iloc[np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))]
    found = _cramer([binned(some[name]) for name in columns], len(some))
    numbers = [i for i, name in enumerate(columns) if pd.api.types.is_numeric_dtype(some[name])]
    if len(numbers) > 1:
        frame = some[[columns[i] for i in numbers]].astype("float64")
        ranks = frame.rank().corr(min_periods=20).abs().fillna(0.0).to_numpy()
        found[np.ix_(numbers, numbers)] = np.maximum(found[np.ix_(numbers, numbers)], ranks)
    np.fill_diagonal(found, 1.0)
    return found


def _cramer(codes: Sequence[Any], rows: int) -> Floats:
    """Return Cramer's V of each two; all tables come from one product of indicators."""
    starts, marks = [0], []
    for code in codes:
        levels, own = np.unique(code, return_inverse=True)
        marks.append(np.eye(len(levels), dtype="float32")[own])
        starts.append(starts[-1] + len(levels))
    whole = np.concatenate(marks, axis=1)
    margins = whole.sum(axis=0, dtype="float64")
    shares = (whole.T @ whole).astype("float64") ** 2 / np.outer(margins, margins)
    at = starts[:-1]
    phi = np.add.reduceat(np.add.reduceat(shares, at, axis=0), at, axis=1) - 1
    levels = np.diff(starts).astype("float64")
    chance = np.outer(levels - 1, levels - 1) / max(1, rows - 1)
    fewest = np.minimum.outer(levels, levels) - 1
    above = np.maximum(phi - chance, 0) / np.maximum(fewest, 1e-9)
    found: Floats = np.sqrt(np.clip(above, 0, 1)) * (fewest > 0)
    return found


def together(
    rows: pd.DataFrame, columns: Sequence[str], rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Return the groups of columns that go together, in the columns' order.

    Average linkage: a column joins a group where it goes with it by ``TOGETHER`` on average.

    >>> x = np.arange(100.0)
    >>> frame = pd.DataFrame({"a": x, "b": np.tile([0.0, 1.0], 50), "c": 3 * x})
    >>> together(frame, ["a", "b", "c"], np.random.default_rng(0))
    [('a', 'c'), ('b',)]
    """
    if len(columns) < 2:
        return [(name,) for name in columns]
    apart = 1 - association(rows, columns, rng)
    apart = (apart + apart.T) / 2
    np.fill_diagonal(apart, 0.0)
    tree = hierarchy.linkage(squareform(apart, checks=False), "average")
    labels = hierarchy.fcluster(tree, 1 - TOGETHER, "distance")
    groups: dict[int, list[str]] = {}
    for name, label in zip(columns, labels, strict=True):
        groups.setdefault(int(label), []).append(name)
    return [tuple(names) for names in groups.values()]
