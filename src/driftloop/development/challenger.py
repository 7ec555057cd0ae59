"""Challenger: boosted trees on the model's own columns, against which its fit is measured.

Two of them: a flexible one, which finds what the columns allow, and an additive one (no two
columns interact), which cannot learn what is peculiar to a slice, such as its wrong labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from driftloop.development import labelled
from driftloop.evaluation.difference import Floats

LEVELS = 40
"""Values of a category, the most frequent ones, that are told apart; others are as if missing."""
MOST_ROWS = 20_000
"""Newest rows that a challenger learns from: with more it would take seconds."""
LARGEST = 1e30
THREADS = 1
"""More of them wait for each other where other processes have the cores."""


@dataclass(frozen=True)
class Challenger:
    """Fitted trees and how rows become their inputs."""

    trees: Any
    columns: tuple[str, ...]
    kinds: dict[str, Any]

    def predict(self, rows: pd.DataFrame) -> Floats:
        """Return the probability of a positive for each row."""
        with threadpool_limits(THREADS, "openmp"):
            shown = _inputs(rows, self.columns, self.kinds)
            found: Floats = self.trees.predict_proba(shown)[:, 1]
        return found


def fit(rows: pd.DataFrame, columns: Sequence[str], additive: bool = False) -> Challenger:
    """Return boosted trees fitted on ``rows``, by time the newest ``MOST_ROWS`` of them."""
    newest = rows
    if len(rows) > MOST_ROWS:
        newest = rows.iloc[np.argsort(rows["event_time"].to_numpy(), kind="stable")[-MOST_ROWS:]]
    words = [name for name in columns if not pd.api.types.is_numeric_dtype(rows[name])]
    kinds = {name: newest[name].dropna().value_counts().index[:LEVELS] for name in words}
    position, label, weight = labelled.doubled(newest)
    trees = HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.15, max_leaf_nodes=3 if additive else 12,
        min_samples_leaf=40, l2_regularization=5.0, max_bins=48, early_stopping=False,
        categorical_features=[name in kinds for name in columns],
        interaction_cst="no_interactions" if additive else None, random_state=0,
    )  # fmt: skip
    # Heavy rows must not count as certain: weights are scaled to one a row on average.
    with threadpool_limits(THREADS, "openmp"):
        trees.fit(_inputs(newest, columns, kinds)[position], label, weight / weight.mean())
    return Challenger(trees, tuple(columns), kinds)


def _inputs(rows: pd.DataFrame, columns: Sequence[str], kinds: dict[str, Any]) -> Floats:
    return np.stack([_input(rows[name], kinds.get(name)) for name in columns], axis=1)


def _input(values: pd.Series[Any], kinds: Any) -> Floats:
    if kinds is None:
        numbers: Floats = np.clip(values.to_numpy("float64"), -LARGEST, LARGEST)
        return numbers
    codes: Any = pd.Categorical(values, kinds).codes.astype("float64")
    found: Floats = np.where(codes < 0, np.nan, codes)
    return found
