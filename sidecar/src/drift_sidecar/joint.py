"""Joint: a classifier two-sample test, for changes that no single feature shows.

A classifier learns to tell the reference's rows from the window's; where both are alike its
out-of-fold probabilities rank them at random. Alibi Detect's ClassifierDrift (sklearn backend)
makes the folds and the fits; the statistic here is the Mann-Whitney z of the probabilities,

    AUC = P(window row ranks above reference row)        Gini = 2 AUC - 1, the effect
    z   = (AUC - 1/2) / sqrt((n + m + 1) / (12 n m))     one-sided

of each fold, whose model never saw it (Lopez-Paz and Oquab, 2017, for the test; Mann and
Whitney, 1947, for the variance). The folds' z are correlated, as each trains the other's model,
by an unknown amount; their plain mean has a variance of at most 1 whatever it is. (Probabilities
of five folds ranked together had a standard deviation of 1.4: far too many false alarms.)

Rows that resemble their neighbours vary more than this formula says: with a design effect d of
n rows, correlations of rows sum to d - 1 a row. Of a random share f of them a row keeps each of
its neighbours with probability f, so the thinned sample has the design effect 1 + f (d - 1), at
most 1.2 for f <= 0.2 / (d - 1).
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from alibi_detect.cd import ClassifierDrift
from scipy import special, stats
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

Floats = np.ndarray[Any, np.dtype[np.float64]]
Columns = Mapping[str, Any]

MOST_ROWS = 5000
"""Rows a side: with 20 features, 1,500 often miss one correlation of 0.4; 5,000 take 0.13 s."""
FEWEST_ROWS = 100
"""Rows a side without which nothing is learnt."""
EXCESS = 0.2
"""What dependence may add to the variance, as a share of it."""
MIN_EFFECT = 0.05
"""Gini coefficient below which a difference is not worth a word."""
FOLDS = 2
LEVELS = 3
"""Categories of a feature that get a column, the heaviest ones."""
MOST_LEVELS = 30
"""Columns of all categorical features, so that their products stay few."""
PENALTY = 0.01
"""Inverse strength of the ridge: hundreds of products on few rows would learn noise."""


@dataclass(frozen=True)
class Joint:
    """What the test shows: one-sided ``z`` and ``p_value``, rows a side, ``effect`` as Gini."""

    z: float
    p_value: float
    rows: tuple[int, int]
    effect: float

    def shift(self, level: float, min_effect: float = MIN_EFFECT) -> bool:
        """Return whether the rows differ, surely and by enough."""
        return self.p_value < level and self.effect >= min_effect


def rows_used(rows: int, design_effect: float) -> int:
    """Return how many of a sample's rows the test takes.

    >>> rows_used(5000, 1.0), rows_used(5000, 4.0)
    (5000, 332)
    """
    share = min(1.0, EXCESS / max(1e-12, design_effect - 1))
    return min(MOST_ROWS, int(share * rows)) // FOLDS * FOLDS


def compare(
    reference: Columns,
    window: Columns,
    kinds: Mapping[str, str],
    rng: np.random.Generator,
    design_effect: float = 1.0,
) -> Joint:
    """Return what tells the window's rows from the reference's.

    ``reference``, ``window``: a column a name, NaN or None where missing; ``kinds``: 'numeric'
    or 'categorical'; ``design_effect``: the largest of the features'. Too few rows: z = 0.
    """
    first, second = (_thinned(side, kinds, rng, design_effect) for side in (reference, window))
    m, n = _length(first), _length(second)
    if min(m, n) < FEWEST_ROWS:
        return Joint(0.0, 1.0, (m, n), 0.0)
    folds = _probabilities(_columns(first, second, kinds), m, int(rng.integers(2**31)))
    ranked = np.mean([_ranked(usual, fresh) for usual, fresh in folds], axis=0)
    z, effect = float(ranked[0]), float(ranked[1])
    return Joint(z, float(special.ndtr(-z)), (m, n), effect)


def _thinned(
    side: Columns, kinds: Mapping[str, str], rng: np.random.Generator, design_effect: float
) -> dict[str, Any]:
    columns = {name: np.asarray(side[name]) for name in kinds}
    rows = _length(columns)
    kept = rng.choice(rows, rows_used(rows, design_effect), replace=False)
    return {name: column[kept] for name, column in columns.items()}


def _length(columns: Columns) -> int:
    return min((len(column) for column in columns.values()), default=0)


def _columns(first: Columns, second: Columns, kinds: Mapping[str, str]) -> Floats:
    """Return both sides as numbers; ranks are of both together, so no side is marked by them."""
    texts = sum(kind == "categorical" for kind in kinds.values())
    levels = max(1, min(LEVELS, MOST_LEVELS // max(1, texts)))
    found: list[Floats] = []
    for name, kind in kinds.items():
        both = np.concatenate([first[name], second[name]])
        found += _one_hot(both, levels) if kind == "categorical" else _normal_scores(both)
    return np.stack(found, axis=1)


def _normal_scores(values: Any) -> list[Floats]:
    missing = ~np.isfinite(values.astype(np.float64))
    scores = np.zeros(len(values))
    present = int((~missing).sum())
    if present:
        scores[~missing] = special.ndtri((stats.rankdata(values[~missing]) - 0.5) / present)
    return [scores, missing.astype(np.float64)] if missing.any() else [scores]


def _one_hot(values: Any, levels: int) -> list[Floats]:
    texts = np.array(["" if v is None else f"={v}" for v in values])
    names, counts = np.unique(texts, return_counts=True)
    kept = names[np.argsort(-counts, kind="stable")[:levels]]
    columns = [(texts == name).astype(np.float64) for name in kept]
    return columns + ([(texts == "").astype(np.float64)] if "" in names and "" not in kept else [])


def _probabilities(columns: Floats, m: int, seed: int) -> list[tuple[Floats, Floats]]:
    """Return, a fold, the probabilities of both sides' rows to be of the window."""
    model = make_pipeline(
        PolynomialFeatures(2, interaction_only=True, include_bias=False),
        LogisticRegression(C=PENALTY, max_iter=50),
    )
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        # binarize_preds: its own exact Kolmogorov-Smirnov takes longer than both fits.
        detector = ClassifierDrift(
            columns[:m],
            model,
            backend="sklearn",
            preds_type="probs",
            binarize_preds=True,
            n_folds=FOLDS,
            seed=seed,
        )
        data = detector.predict(columns[m:])["data"]
    # Alibi Detect returns one fold after the other; stratified folds halve each side.
    usual, fresh = (np.array_split(data[side], FOLDS) for side in ("probs_ref", "probs_test"))
    return list(zip(usual, fresh, strict=True))


def _ranked(usual: Floats, fresh: Floats) -> tuple[float, float]:
    """Return z and the Gini coefficient."""
    m, n = len(usual), len(fresh)
    auc = stats.mannwhitneyu(fresh, usual, method="asymptotic").statistic / (n * m)
    z = (auc - 0.5) / math.sqrt((n + m + 1) / (12 * n * m))
    return float(z), float(2 * auc - 1)
