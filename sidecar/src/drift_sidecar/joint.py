"""Joint: changes that show in features together and in none alone.

Alibi Detect's ClassifierDrift (sklearn backend; Lopez-Paz and Oquab, 2017) tells a window from
the reference by the probabilities of rows that it did not learn from. The classifier sees each
feature by its normal score in the reference, and the products of every two: enough for a
correlation that comes or goes.

Its p-value takes rows for independent. Of a window of n rows with design effect d a random share
f leaves rows whose mean varies 1 + f (d - 1) times as much as that of independent ones (the rows'
own part shrinks with f, their neighbours' stays); f = ROOM / (d - 1) keeps that within 1 + ROOM.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from alibi_detect.cd import ClassifierDrift
from scipy import special
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from driftloop_contracts.drift.distribution import Distribution

Floats = np.ndarray[Any, np.dtype[np.float64]]

ROWS, FEWEST = 2000, 100
"""Most rows of either side, and fewest: a classifier learns nothing from less."""
ROOM = 0.2
"""By how much dependence may widen the statistic's variance."""
LEARNT = 0.5
"""Share of the rows that the classifier learns from; the others judge it. Folds would use every
row twice, but make the test reject three times too often: the folds' models depend on each other.
"""
MIN_GINI = 0.1
"""Smallest effect worth a retraining: a correlation that goes from 0 to 0.4 shows 0.2."""
PAIRED = 30
"""Most columns whose products are looked at; with more, each alone."""
LEVELS = 8
"""Categories of a feature with a column of their own."""


@dataclass(frozen=True)
class Joint:
    """``z``: one-sided; ``rows``: of the window; ``effect``: Gini, 2 AUC - 1."""

    z: float
    p_value: float
    rows: int
    effect: float
    threshold: float = MIN_GINI


def compare(
    usual: Mapping[str, Any],
    window: Mapping[str, Any],
    known: Mapping[str, Distribution],
    rng: np.random.Generator,
) -> Joint | None:
    """Return what a classifier makes of two samples, or None where rows are too few.

    ``usual``, ``window``: by feature an array of floats with NaN or of texts with None, rows in
    any order; ``known``: their distributions.
    """
    first, second = _columns(usual, known), _columns(window, known)
    effects = [max(d.design_effect, d.missing_design_effect) for d in known.values()]
    thinned = _thinned(len(second), max(effects, default=1.0))
    rows = min(ROWS, len(first), thinned)
    if rows < FEWEST or not first.shape[1]:
        return None
    before, now = (x[rng.choice(len(x), rows, replace=False)] for x in (first, second))
    return _judged(before, now, int(rng.integers(2**31)))


def _judged(usual: Floats, window: Floats, seed: int) -> Joint:
    with warnings.catch_warnings(), _drawing(seed):
        warnings.simplefilter("ignore")
        detector = ClassifierDrift(
            usual, _model(usual.shape[1]), backend="sklearn", train_size=LEARNT
        )
        data = detector.predict(window, return_probs=True)["data"]
    first, second = (_window_share(data[name]) for name in ("probs_ref", "probs_test"))
    p = min(1 - 1e-16, max(float(data["p_val"]), 1e-300))
    return Joint(float(-special.ndtri(p)), p, len(window), _gini(first, second))


@contextlib.contextmanager
def _drawing(seed: int) -> Iterator[None]:
    """Let the detector, which splits rows by numpy's global generator, split them by ``seed``."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)


def _window_share(probabilities: Any) -> Floats:
    """Return the probability that a row is of the window."""
    found: Floats = np.asarray(probabilities, dtype=np.float64)
    return found[:, 1] if found.ndim == 2 else found


def _model(columns: int) -> Any:
    products = PolynomialFeatures(2 if columns <= PAIRED else 1, interaction_only=True)
    return make_pipeline(products, StandardScaler(), LogisticRegression(C=0.1, max_iter=200))


def _gini(first: Floats, second: Floats) -> float:
    """Return 2 AUC - 1 of two samples' probabilities, by their ranks."""
    both = np.concatenate([first, second])
    _, place, count = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    n, m = len(first), len(second)
    area = (ranks[n:].sum() - m * (m + 1) / 2) / (n * m)
    return float(2 * area - 1)


def _thinned(rows: int, design_effect: float) -> int:
    """Return how many of so many rows may be taken for independent.

    >>> _thinned(5000, 1.1), _thinned(5000, 4.0)
    (5000, 333)
    """
    return rows if design_effect <= 1 + ROOM else int(rows * ROOM / (design_effect - 1))


def _columns(values: Mapping[str, Any], known: Mapping[str, Distribution]) -> Floats:
    parts = [_scores(values[name], distribution) for name, distribution in known.items()]
    found: Floats = np.concatenate(parts, axis=1) if parts else np.empty((0, 0))
    return found


def _scores(values: Any, known: Distribution) -> Floats:
    """Return one feature's columns: normal scores or levels, and whether it is missing."""
    missing = np.array([v is None or v != v for v in values], dtype=bool)
    codes = np.full(len(values), -1)
    codes[~missing] = known.codes(values[~missing])
    columns: list[Any] = [missing]
    if known.categories:
        columns += [codes == level for level in _frequent(known)]
    else:
        columns.append(np.where(missing, 0.0, _normal(known)[codes]))
    found: Floats = np.stack(columns, axis=1).astype(np.float64)
    return found


def _frequent(known: Distribution) -> list[int]:
    """Return the cells of the most frequent categories; the last of them says nothing more."""
    weight = np.sum([stratum.counts for stratum in known.strata], axis=0)[:-1]
    most = min(LEVELS, max(1, len(weight) - 1))
    return [int(cell) for cell in np.argsort(-weight, kind="stable")[:most]]


def _normal(known: Distribution) -> Floats:
    """Return the normal score of each cell: of the middle of the shares below and above it."""
    weight = np.sum([stratum.counts for stratum in known.strata], axis=0)
    share = weight / max(weight.sum(), 1e-300)
    middle = np.cumsum(share) - share / 2
    scores: Floats = special.ndtri(np.clip(middle, 0.001, 0.999))
    return scores
