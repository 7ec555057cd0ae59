"""Imbalance: the rows that a fit takes of many negatives, and what that does to its probabilities.

Of negatives with the weights w a row is kept with the chance min(1, w / t), with t such that as
many come as are wanted, and then stands for max(w, t): what is kept weighs alike, and sums stay
unbiased (threshold sampling; Duffield, Lund and Thorup, 2005). Rows of equal weight are all kept
with the same chance. A row's chance is met or not by a hash of its key and the seed, so the same
rows are kept by every fit.

A fit in which a negative counts c0 and a positive c1 times what it stands for learns odds that
are c1 / c0 times the true ones, whatever the features say. Its log-odds are therefore corrected by

    shift = log(c0 / c1)

(prior correction: King and Zeng, 2001; for down-sampled clicks He et al., 2014). ``reweigh``
keeps c0 = c1 = 1: kept rows weigh what they stand for, and nothing is left to correct.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from driftloop.spec.imbalance import Imbalance
from driftloop_contracts.errors import InvalidInput

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]
WHERE = "the rows of a fit"


@dataclass(frozen=True, eq=False)
class Sample:
    """What a fit takes of labelled rows, in their order.

    ``positions``: of the kept rows; ``stands_for``: their weight among all rows, of which the sums
    of both classes are exactly those of all rows; ``weights``: what the fit gives them;
    ``shift``: what is added to the log-odds that it learns.
    """

    positions: Positions
    stands_for: Floats
    weights: Floats
    shift: float

    def told(self, rows: int) -> str:
        """Return a sentence on the sample of so many ``rows``."""
        return (
            f"The fit takes {len(self.positions)} of {rows} labelled rows and corrects its "
            f"log-odds by {self.shift:+.3f}."
        )


def draw(
    labels: ArrayLike, weights: ArrayLike, policy: Imbalance, keys: ArrayLike | None = None
) -> Sample:
    """Return what a fit takes of rows with these labels, 0 or 1, and weights above 0.

    ``keys``: which rows are kept follows from them and ``policy.seed`` (None: from their order).
    Raise InvalidInput where a class is absent or a weight is no number above 0.

    >>> policy = Imbalance(negatives="5%", correction="shift")
    >>> found = draw([1.0] + [0.0] * 9_999, np.ones(10_000), policy)
    >>> 450 < len(found.positions) < 550, float(found.stands_for.sum().round(6))
    (True, 10000.0)
    """
    y, w = np.asarray(labels, "float64"), np.asarray(weights, "float64")
    _require(y, w)
    negative = y == 0
    wanted = policy.negatives.rows(int(negative.sum()), int((~negative).sum()))
    chance = np.ones(len(y))
    chance[negative] = chances(w[negative], max(1.0, wanted))
    kept = ~negative | (uniforms(len(y), keys, policy.seed) < chance)
    if not kept[negative].any():  # One stands for all: a fit without negatives is none.
        kept[np.flatnonzero(negative)[0]] = True
    positions = np.flatnonzero(kept)
    stands_for = _stand_in(w, chance, negative, positions)
    count = _counts(w, negative, positions, policy)
    factors = np.where(negative[positions], *count)
    return Sample(positions, stands_for, stands_for * factors, math.log(count[0] / count[1]))


def chances(weights: Floats, wanted: float) -> Floats:
    """Return the chance min(1, w / t) of each row, with t such that ``wanted`` come on average.

    >>> chances(np.array([1.0, 1.0, 2.0, 16.0]), 2.0).tolist()
    [0.25, 0.25, 0.5, 1.0]
    """
    if wanted >= len(weights):
        return np.ones(len(weights))
    heaviest = np.sort(weights)[::-1]
    rest = np.cumsum(heaviest[::-1])[::-1]
    sure = np.arange(math.ceil(wanted))
    limits = rest[sure] / (wanted - sure)
    # So many of the heaviest surely come; of the others none is heavier than the limit.
    first = int(np.argmax(heaviest[sure] <= limits * (1 + 1e-12)))
    found: Floats = np.minimum(1.0, weights / limits[first])
    return found


def uniforms(count: int, keys: ArrayLike | None, seed: int) -> Floats:
    """Return a number in [0, 1) for each key, the same for the same key and seed."""
    if keys is None:
        return np.random.default_rng(seed).random(count)
    texts = np.asarray(pd.Series(keys, dtype=object).astype(str), dtype=object)
    if len(texts) != count:
        raise InvalidInput("keys", WHERE, f"{count}, one a row", len(texts))
    hashed = pd.util.hash_array(texts, hash_key=f"{seed:016d}")
    return np.asarray(hashed >> np.uint64(11), "float64") / 2.0**53


def correct(probability: ArrayLike, shift: float) -> Floats:
    """Return probabilities with their log-odds shifted.

    >>> correct([0.5], math.log(0.01)).round(4).tolist()
    [0.0099]
    """
    return np.asarray(special.expit(log_odds(probability) + shift), "float64")


def log_odds(probability: ArrayLike) -> Floats:
    """Return the log-odds of probabilities, those of 0 and 1 as the smallest numbers have them."""
    p = np.clip(np.asarray(probability, "float64"), 1e-15, 1 - 1e-15)
    return np.asarray(special.logit(p), "float64")


def _stand_in(
    weights: Floats, chance: Floats, negative: NDArray[np.bool_], positions: Positions
) -> Floats:
    """Return what kept rows stand for, the negatives' sum made that of all negatives."""
    own = weights[positions] / chance[positions]
    drawn = negative[positions]
    own[drawn] *= weights[negative].sum() / own[drawn].sum()
    return own


def _counts(
    weights: Floats, negative: NDArray[np.bool_], positions: Positions, policy: Imbalance
) -> tuple[float, float]:
    """Return how many times what it stands for a negative counts, and a positive."""
    total, negatives = weights.sum(), weights[negative].sum()
    if policy.weights == "balanced":
        return float(total / negatives / 2), float(total / (total - negatives) / 2)
    if policy.correction == "reweigh":
        return 1.0, 1.0
    # A row counts as what it is itself, as if the others had never been.
    kept = weights[positions][negative[positions]].sum()
    return float(kept / negatives), 1.0


def _require(labels: Floats, weights: Floats) -> None:
    if labels.shape != weights.shape or labels.ndim != 1:
        raise InvalidInput("weights", WHERE, f"{len(labels)}, one a row", weights.shape)
    if not np.isin(labels, (0.0, 1.0)).all():
        raise InvalidInput("labels", WHERE, "0 or 1", _first(labels, np.isin(labels, (0, 1))))
    sound = np.isfinite(weights) & (weights > 0)
    if not sound.all():
        raise InvalidInput("weights", WHERE, "numbers above 0", _first(weights, sound))
    for value, name in ((1.0, "positives"), (0.0, "negatives")):
        if not (labels == value).any():
            raise InvalidInput(name, WHERE, "at least 1", 0)


def _first(values: Floats, sound: Any) -> float:
    return float(values[~sound][0])
