"""Class rates: how often each class comes, alone and by one column, beside a model of classes.

Which column is chosen on the early rows, each half of the entities judging what the other learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from driftloop.development import baselines
from driftloop.development.baselines import COLUMN, LEAST, PRIOR, RATE, Comparison
from driftloop.development.columns import binned
from driftloop.evaluation import loss
from driftloop.evaluation.difference import Floats, halves
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY

BINS = 64
"""More than a column has (columns.py)."""


def compare(
    early: pd.DataFrame,
    late: pd.DataFrame,
    given: Floats,
    classes: Sequence[str],
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    least: float = LEAST,
) -> Comparison:
    """Return the model's cross-entropy on ``late`` beside what it takes no model to say.

    ``given``: the probability that the model gave each row's ``category``; frames: ``category``,
    ``weight``, ``entity`` and ``columns``. Raise InvalidInput for a category that is no class.
    """
    places = codes(early, classes), codes(late, classes)
    shares = _shares(early, places[0], len(classes))
    always = f"always the shares {', '.join(f'{share:.3g}' for share in shares)}"
    told = [(RATE, always, _lost(shares[places[1]], late))]
    if columns:
        best = _best(early, places[0], len(classes), columns, entity, rng)
        guessed = _by_bins(early, places[0], len(classes), best, late)
        lost = _lost(guessed[np.arange(len(late)), places[1]], late)
        told.append((COLUMN, f"the shares by {best}", lost))
    return baselines.beside(_lost(given, late), told, late, entity, rng, least)


def codes(rows: pd.DataFrame, classes: Sequence[str]) -> Any:
    """Return the place of each row's category among ``classes``; raise InvalidInput for another."""
    found = pd.Index(classes).get_indexer(pd.Index(rows[CATEGORY]))
    if (found < 0).any():
        odd = rows[CATEGORY].to_numpy()[found < 0][0]
        raise InvalidInput("a category", "the rows", f"one of {list(classes)}", odd)
    return found


def _shares(rows: pd.DataFrame, places: Any, count: int) -> Floats:
    """Return each class's share of the impressions, each with one more than came."""
    came = np.bincount(places, rows["weight"], count) + 1.0
    found: Floats = came / came.sum()
    return found


def _lost(given: Floats, rows: pd.DataFrame) -> Floats:
    kept = np.clip(given, loss.CLIP, 1 - loss.CLIP)
    found: Floats = -np.log(kept) * rows["weight"].to_numpy("float64")
    return found


def _by_bins(
    seen: pd.DataFrame, places: Any, count: int, column: str, rows: pd.DataFrame
) -> Floats:
    """Return each class's share in the bin of each of ``rows``, [rows, classes]."""
    cells = binned(seen[column]) * count + places
    came = np.bincount(cells, seen["weight"], BINS * count).reshape(BINS, count)
    shrunk = came + PRIOR * _shares(seen, places, count)
    rates = shrunk / shrunk.sum(axis=1, keepdims=True)
    found: Floats = rates[np.minimum(binned(rows[column], seen[column]), BINS - 1)]
    return found


def _best(
    early: pd.DataFrame,
    places: Any,
    count: int,
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
) -> str:
    half, lost = halves(early[entity], rng), dict.fromkeys(columns, 0.0)
    for side in (half == 0, half == 1):
        if not 0 < side.sum() < len(side):
            continue
        judged, own = early[side], places[side]
        for name in columns:
            guessed = _by_bins(early[~side], places[~side], count, name, judged)
            lost[name] += float(_lost(guessed[np.arange(len(judged)), own], judged).sum())
    return min(lost, key=lambda name: lost[name])
