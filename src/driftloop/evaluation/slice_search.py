"""Slice search: parts of the traffic that nobody named and a candidate may harm.

A shallow regression tree on one half of the entities looks for rows on which the candidate's loss
exceeds the champion's (as slice finders do: Chung et al., 2019); only the other half says whether
that is so, because a tree finds something in noise as well. Where the candidate is as good
everywhere, what was found fails no more often than a named slice does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeRegressor

from driftloop.evaluation.difference import Floats, halves
from driftloop.evaluation.slices import Mask, Slice

DEPTH = 2
"""Conditions of one found slice."""
LEAST_SHARE = 0.10
"""Of the rows that a found slice has at least; as half of them judge, fewer could tell nothing."""
SUSPECT = 0.5
"""Of the margin, from which on a slice is suspected: half of those harmed by it look better."""
MOST = 2
"""Found slices that are judged, the worst first: each one costs the others power."""
LARGEST = 1e30
LEVELS = 20
"""Values of a category that a condition may name, the most frequent ones."""


def found(
    scored: pd.DataFrame,
    columns: Sequence[str],
    entity: str,
    margin: float,
    rng: np.random.Generator,
) -> list[Slice]:
    """Return the slices that one half suspects of harm by ``margin``, as rows of the other half.

    ``scored``: ``columns``, ``entity``, ``candidate_loss`` and ``champion_loss`` of each row.
    """
    looks = halves(scored[entity], rng) == 0
    if not columns or not 0 < looks.sum() < len(scored):
        return []
    worse = (scored["candidate_loss"] - scored["champion_loss"]).to_numpy("float64")
    usual = scored["champion_loss"].to_numpy("float64")
    suspects = suspected(scored, columns, worse, usual, margin, looks)
    return [Slice(one.name, ~looks & one.inside, is_found=True) for one in suspects]


def suspected(
    rows: pd.DataFrame,
    columns: Sequence[str],
    worse: Floats,
    usual: Floats,
    margin: float,
    looks: Mask,
) -> list[Slice]:
    """Return where the rows that ``looks`` marks suspect a harm, as parts of all rows.

    ``worse``: of each row, the loss too much; ``usual``: the loss that ``margin`` is a share of.
    """
    inputs, labels = _inputs(rows, columns)
    tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=LEAST_SHARE, random_state=0)
    tree.fit(inputs[looks], worse[looks])
    leaves = tree.apply(inputs)
    suspects = {}
    for leaf in np.unique(leaves[looks]):
        own = looks & (leaves == leaf)
        relative = worse[own].sum() / max(usual[own].sum(), 1e-300)
        if relative >= margin * SUSPECT:
            suspects[int(leaf)] = relative
    worst = sorted(suspects, key=lambda leaf: -suspects[leaf])[:MOST]
    return [Slice(_name(tree.tree_, leaf, labels), leaves == leaf, True) for leaf in worst]


def _inputs(scored: pd.DataFrame, columns: Sequence[str]) -> tuple[Any, list[tuple[str, str]]]:
    """Return numbers for the tree, and for each what a value of at most / above it is called."""
    found: list[Any] = []
    labels: list[tuple[str, str]] = []
    for column in columns:
        values = scored[column]
        missing = values.isna().to_numpy()
        if pd.api.types.is_numeric_dtype(values):
            numbers = values.to_numpy("float64")
            # The tree has floats of 32 bits, and nobody cuts beyond them.
            found.append(np.clip(np.where(missing, 0.0, numbers), -LARGEST, LARGEST))
            labels.append((f"{column} <= {{cut:.4g}}", f"{column} > {{cut:.4g}}"))
        else:
            texts = values.astype(str).to_numpy()
            kinds, counts = np.unique(texts[~missing], return_counts=True)
            for kind in kinds[np.argsort(-counts, kind="stable")[:LEVELS]]:
                found.append(((texts == kind) & ~missing).astype(float))
                labels.append((f"{column} != {_plain(kind)}", f"{column} = {_plain(kind)}"))
        if missing.any():
            found.append(missing.astype(float))
            labels.append((f"{column} present", f"{column} missing"))
    return np.stack(found, axis=1), labels


def _name(tree: Any, leaf: int, labels: Sequence[tuple[str, str]]) -> str:
    """Return the conditions that lead to a leaf."""
    parents = {int(tree.children_left[n]): (n, 0) for n in range(tree.node_count)}
    parents |= {int(tree.children_right[n]): (n, 1) for n in range(tree.node_count)}
    said, node = [], leaf
    while node in parents:
        node, side = parents[node]
        said.append(labels[tree.feature[node]][side].format(cut=tree.threshold[node]))
    return " and ".join(reversed(said)) or "all rows"


def _plain(text: str) -> str:
    """Return a value as a name may hold it: short, and without a format's braces."""
    return text[:40].replace("{", "(").replace("}", ")")
