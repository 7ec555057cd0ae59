"""Agreement: how far reviewers say the same, beyond what chance would give.

Cohen (1960), Educational and Psychological Measurement 20:37, for two reviewers, on the rows that
both saw; Krippendorff's alpha for nominal classes, for any number of reviewers, any of whom may
have left rows out (Krippendorff, 2004, Content Analysis, ch. 11). Rows are drawn again for bounds.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from driftloop.evaluation.difference import Interval
from driftloop.labels.classes import NONE, Codes, Floats
from driftloop.labels.proportion import CONFIDENCE
from driftloop.labels.votes import Votes
from driftloop_contracts.errors import InvalidInput

RESAMPLES = 1000
UNDEFINED = Interval(-1.0, math.nan, 1.0)


class Agreement(NamedTuple):
    """A measure, who it is of, on how many rows, and its two-sided 95 % bounds.

    The measure is NaN between -1 and 1 where all say one class or nobody shares a row: chance
    alone would then agree, and nothing is known.
    """

    measure: str
    reviewers: tuple[str, ...]
    rows: int
    value: Interval

    def to_data(self) -> dict[str, Any]:
        """Return the agreement, ready for JSON."""
        bounds = self.value.named()
        return self._asdict() | {"reviewers": list(self.reviewers), "value": bounds}


def kappa(first: Codes, second: Codes, classes: int, rng: np.random.Generator) -> Interval:
    """Return Cohen's kappa of two reviewers' codes (-1: not seen).

    >>> a, b = np.repeat([0, 0, 1, 1], [20, 5, 10, 15]), np.repeat([0, 1, 0, 1], [20, 5, 10, 15])
    >>> round(kappa(a, b, 2, np.random.default_rng(0)).estimate, 3)
    0.4
    """
    both = (first != NONE) & (second != NONE)
    cells = first[both] * classes + second[both]
    tables = _drawn(np.bincount(cells, minlength=classes**2).astype("float64"), rng)
    tables = tables.reshape(-1, classes, classes)
    total = np.maximum(tables.sum(axis=(1, 2)), 1)
    seen = np.trace(tables, axis1=1, axis2=2) / total
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / total**2
    return _interval(seen - chance, 1 - chance) if both.any() else UNDEFINED


def alpha(codes: Codes, classes: int, rng: np.random.Generator) -> Interval:
    """Return Krippendorff's alpha of codes [rows, reviewers] (-1: not seen).

    >>> said = np.array([[0, 0], [1, 1], [0, 1], [1, 1], [0, 0]])
    >>> round(alpha(said, 2, np.random.default_rng(0)).estimate, 3)
    0.64
    """
    counts = (codes[:, :, None] == np.arange(classes)).sum(axis=1).astype("float64")
    seen = counts.sum(axis=1)
    counts, seen = counts[seen > 1], seen[seen > 1]
    if not len(counts):
        return UNDEFINED
    # Each row's share in the coincidences: its pairs that differ, and its values by class.
    pairs = (seen**2 - (counts**2).sum(axis=1)) / (seen - 1)
    kinds, where = np.unique(np.column_stack([pairs, counts]), axis=0, return_inverse=True)
    sums = _drawn(np.bincount(where.reshape(-1)).astype("float64"), rng) @ kinds
    values = sums[:, 1:]
    n = values.sum(axis=1)
    differ = (n**2 - (values**2).sum(axis=1)) / np.maximum(n - 1, 1)
    return _interval(differ - sums[:, 0], differ)


def of(reviews: Votes, rng: np.random.Generator) -> list[Agreement]:
    """Return alpha over all reviewers and kappa of each two that share a row."""
    size, codes = len(reviews.classes), reviews.codes
    if not codes.size:
        raise InvalidInput("the reviews", "their agreement", "one or more", "none")
    several = int((reviews.cast.sum(axis=1) > 1).sum())
    whole = alpha(codes, size, rng)
    found = [Agreement("Krippendorff's alpha", reviews.voters, several, whole)]
    for a, b in combinations(range(len(reviews.voters)), 2):
        both = int((reviews.cast[:, a] & reviews.cast[:, b]).sum())
        if both:
            pair = (reviews.voters[a], reviews.voters[b])
            value = kappa(codes[:, a], codes[:, b], size, rng)
            found.append(Agreement("Cohen's kappa", pair, both, value))
    return found


def _drawn(counts: Floats, rng: np.random.Generator) -> Floats:
    """Return the counts of equal rows as seen, then in each resample."""
    rows = counts.sum()
    if not rows:
        return counts[None]
    drawn = rng.multinomial(int(rows), counts / rows, RESAMPLES)
    return np.concatenate([counts[None], drawn])


def _interval(above: Floats, below: Floats) -> Interval:
    """Return above / below as seen, between the quantiles of the resamples in which it is one."""
    if not below[0] > 0:
        return UNDEFINED
    held = below > 0
    found = above[held] / below[held]
    low, high = np.quantile(found[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Interval(float(low), float(found[0]), float(high))
