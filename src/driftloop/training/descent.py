"""Descent: averaged stochastic gradient descent on logistic loss over spooled rows.

Source: Bottou (2010), Large-scale machine learning with stochastic gradient descent; averaging:
Polyak and Juditsky (1992). The steps are scikit-learn's SGDClassifier's, buffer by buffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import SGDClassifier

from driftloop.training.moments import Floats, Moments
from driftloop.training.spool import Records, Spool

Margins = tuple[Floats, Floats, Floats]
"""Of rows: log-odds, label and weight."""

CONSTANT = 4.0
"""Every row's first value. As the others are about 1, the level is learnt by its coefficient and
not by those of frequent categories; one that was never seen then has the usual level."""
FARTHEST = 8.0
"""Standard deviations from its mean beyond which a number counts as that far."""
HEAVIEST = 2.0
"""Of the mean weight. A heavier row is shown several times, each time with less weight: one step
with all of it would overshoot."""
STEPS = 1_500_000
"""Rows that are shown at least, over all passes: few rows are passed more often."""
PASSES = (3, 40)
"""Fewest and most passes."""
RATE, DECAY = 0.1, 20.0
"""The first step's length; after a share s of the steps it is RATE / sqrt(1 + DECAY s)."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where a row's values lie in its vector: constant, numbers, missing numbers, buckets.

    ``mean``, ``scale``: of the numbers; ``lacking``: which of them are missing somewhere.
    """

    mean: Floats
    scale: Floats
    lacking: Any
    buckets: int

    @property
    def width(self) -> int:
        """Return the length of a row's vector."""
        return 1 + len(self.mean) + len(self.lacking) + self.buckets

    def matrix(self, buckets: Any, numbers: Floats) -> sparse.csr_matrix:
        """Return rows as sparse vectors, [rows, width]."""
        count, numeric = numbers.shape
        missing = np.isnan(numbers)
        known = np.where(missing, 0.0, (numbers - self.mean) / self.scale)
        data = np.concatenate(
            [
                np.full((count, 1), CONSTANT),
                np.clip(known, -FARTHEST, FARTHEST),
                missing[:, self.lacking],
                np.ones(buckets.shape),
            ],
            axis=1,
        )
        fixed = 1 + numeric + len(self.lacking)
        places = np.empty(data.shape, "int32")
        places[:, :fixed] = np.arange(fixed)
        places[:, fixed:] = buckets + fixed
        ends = np.arange(count + 1, dtype="int32") * data.shape[1]
        shape = (count, self.width)
        return sparse.csr_matrix((data.ravel(), places.ravel(), ends), shape=shape, copy=False)


def layout(spool: Spool, buckets: int) -> Layout:
    """Return the layout of all spooled rows, in one pass."""
    moments = Moments.nothing(spool.record["numbers"].shape[0])
    for block in spool.blocks(0, spool.rows):
        moments += Moments.of(block["numbers"])
    lacking = np.flatnonzero(moments.count < spool.rows)
    return Layout(moments.mean, moments.scale, lacking, buckets)


@dataclass(frozen=True, eq=False)
class Descent:
    """Fits of spooled rows; ``buffer``: how many are mixed at once, in an order of ``rng``."""

    spool: Spool
    layout: Layout
    buffer: int
    rng: np.random.Generator

    def fit(self, last: int) -> Floats:
        """Return the coefficients of the first ``last`` rows, averaged over the later passes.

        The penalty is that of logistic regression with C = 1, on rows of these weights.
        """
        passes = int(np.clip(-(-STEPS // last), *PASSES))
        total, shown = self._counted(last)
        model = SGDClassifier(
            loss="log_loss", alpha=1 / total, learning_rate="constant", eta0=RATE,
            fit_intercept=False, shuffle=False, average=max(2, shown * (passes - 1) // 2),
        )  # fmt: skip
        done, mean = 0, total / last
        for _ in range(passes):
            for rows in self.spool.shuffled(0, last, self.buffer, self.rng):
                model.set_params(eta0=RATE / np.sqrt(1 + DECAY * done / (shown * passes)))
                done += self._show(model, rows, mean)
        found: Floats = model.coef_[0]
        return found

    def margins(self, coefficients: Floats, first: int, last: int) -> Iterator[Margins]:
        """Yield log-odds, label and weight of the rows ``first`` up to ``last``."""
        for rows in self.spool.blocks(first, last):
            odds = self.layout.matrix(rows["buckets"], rows["numbers"]) @ coefficients
            yield odds, rows["label"].astype("float64"), rows["weight"]

    def _counted(self, last: int) -> tuple[float, int]:
        """Return the weight of the first ``last`` rows, and how often they are shown in a pass."""
        total = sum(float(rows["weight"].sum()) for rows in self.spool.blocks(0, last))
        blocks = self.spool.blocks(0, last)
        return total, sum(int(_times(rows["weight"] * last / total).sum()) for rows in blocks)

    def _show(self, model: SGDClassifier, rows: Records, mean: float) -> int:
        weight = rows["weight"] / mean
        times = _times(weight)
        places = np.repeat(np.arange(len(rows)), times)
        places = places[self.rng.permutation(len(places))]
        shown, each = rows[places], (weight / times)[places]
        inputs = self.layout.matrix(shown["buckets"], shown["numbers"])
        model.partial_fit(inputs, shown["label"], classes=np.array([0.0, 1.0]), sample_weight=each)
        return len(shown)


def _times(weight: Floats) -> Any:
    """Return how often rows of these weights, 1 in the mean, are shown."""
    return np.maximum(1, np.ceil(weight / HEAVIEST)).astype("int64")
