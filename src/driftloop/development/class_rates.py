"""Class rates: how often each class comes, alone and by one column, beside a model of classes.

Which column is chosen on the early rows, each half of the entities judging what the other learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from driftloop.development import baselines
from driftloop.development.baselines import COLUMN, LEAST, PRIOR, RATE, Comparison, Guess
from driftloop.development.columns import binned
from driftloop.evaluation import loss
from driftloop.evaluation.difference import Floats, halves
from driftloop.labels import classes as labels

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

    def lost(guessed: Floats, rows: pd.DataFrame) -> Floats:
        return _lost(guessed[np.arange(len(rows)), labels.places(rows, classes)], rows)

    shares = labels.shares(early, classes)
    always = f"always the shares {', '.join(f'{share:.3g}' for share in shares)}"
    told = [(RATE, always, lost(np.tile(shares, (len(late), 1)), late))]
    if columns:
        half = halves(early[entity], rng)
        makers = {name: (lambda rows, name=name: _by_bins(rows, classes, name)) for name in columns}
        best = baselines.least_loss(early, half, makers, lost)
        told.append((COLUMN, f"the shares by {best}", lost(makers[best](early)(late), late)))
    return baselines.beside(_lost(given, late), told, late, entity, rng, least)


def _lost(given: Floats, rows: pd.DataFrame) -> Floats:
    kept = np.clip(given, loss.CLIP, 1 - loss.CLIP)
    found: Floats = -np.log(kept) * rows["weight"].to_numpy("float64")
    return found


def _by_bins(seen: pd.DataFrame, classes: Sequence[str], column: str) -> Guess:
    """Return the guess of each class's share in a column's bin, [rows, classes]."""
    known, count = seen[column], len(classes)
    cells = binned(known) * count + labels.places(seen, classes)
    came = np.bincount(cells, seen["weight"], BINS * count).reshape(BINS, count)
    shrunk = came + PRIOR * labels.shares(seen, classes)
    rates: Floats = shrunk / shrunk.sum(axis=1, keepdims=True)
    return lambda rows: rates[np.minimum(binned(rows[column], known), BINS - 1)]
