"""Confusion: which classes a model takes for which, on held-out rows, with intervals.

Entities are drawn again with replacement (difference.py), because the rows of one rise and fall
together; every interval is two-sided at 95 %.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import difference
from driftloop.evaluation.difference import Floats
from driftloop.loop import LearningLoop
from driftloop_contracts.inference import CATEGORY, CHOSEN

SIDES = (0.025, 0.975)


def measure(scored: pd.DataFrame, loop: LearningLoop, rng: np.random.Generator) -> dict[str, Any]:
    """Return a bundle's facts on its classes under ``by_class``; nothing where there are none.

    ``scored``: held-out rows as scoring.py has them. ``confusion``: impressions, [true][chosen];
    of each class ``precision`` and ``recall``, and of all ``macro_f1`` and ``accuracy``, as (low,
    value, high), None where a class never came or was never chosen.
    """
    names = loop.spec.objective.classes
    if not names:
        return {}
    drawn = _drawn(scored, names, loop, rng)
    return {"by_class": {"classes": list(names), **told(drawn, names)}}


def _drawn(
    scored: pd.DataFrame, names: tuple[str, ...], loop: LearningLoop, rng: np.random.Generator
) -> Floats:
    """Return the confusion matrix as seen and in every resample, [1 + resamples, true, chosen]."""
    count, gate = len(names), loop.spec.gate
    true, chosen = (pd.Index(names).get_indexer(pd.Index(scored[n])) for n in (CATEGORY, CHOSEN))
    cells, weight = true * count + chosen, scored["weight"].to_numpy("float64")
    # Only cells that hold something are drawn: of 50 classes there are 2,500, and most are empty.
    held, place = np.unique(cells, return_inverse=True)
    groups = difference.groups(scored[gate.entity], rng)
    most = int(groups.max()) + 1
    sums = np.bincount(groups * len(held) + place, weight, most * len(held)).reshape(most, -1)
    drawn = rng.multinomial(most, np.full(most, 1 / most), gate.resamples)
    found = np.zeros((len(drawn) + 1, count * count))
    found[:, held] = np.concatenate([sums.sum(axis=0)[None], drawn @ sums])
    return found.reshape(-1, count, count)


def told(drawn: Floats, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the numbers of confusion matrices, the first as seen, the others resampled.

    >>> both = np.array([[[8.0, 2.0], [0.0, 10.0]]] * 2)
    >>> found = told(both, ("a", "b"))
    >>> found["accuracy"], found["recall"]["a"]
    ([0.9, 0.9, 0.9], [0.8, 0.8, 0.8])
    """
    right = np.diagonal(drawn, axis1=1, axis2=2)
    came, chosen = drawn.sum(axis=2), drawn.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = right / chosen, right / came
        each = 2 * right / (came + chosen)  # F1 without a division of nothing by nothing
    some = (came + chosen) > 0
    macro = np.where(some, each, 0.0).sum(axis=1) / np.maximum(some.sum(axis=1), 1)
    return {
        "confusion": drawn[0].tolist(),
        "precision": {name: _interval(precision[:, n]) for n, name in enumerate(names)},
        "recall": {name: _interval(recall[:, n]) for n, name in enumerate(names)},
        "macro_f1": _interval(macro),
        "accuracy": _interval(right.sum(axis=1) / came.sum(axis=1)),
    }


def _interval(values: Floats) -> list[float] | None:
    """Return the bounds around the first value; resamples that lack a class say nothing of it."""
    if not np.isfinite(values[0]):
        return None
    others = values[1:][np.isfinite(values[1:])]
    if not len(others):
        return [float(values[0])] * 3
    low, high = np.quantile(others, SIDES)
    return [float(low), float(values[0]), float(high)]
