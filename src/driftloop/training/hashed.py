"""Hashed: a linear model on hashed categories that learns from batches, within a set memory.

Its memory follows from the number of buckets and the rows of a buffer, not from the rows or the
categories that there are. The same rows in the same order make the same model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin

from driftloop.training import descent, encoding, scaling
from driftloop.training.descent import Descent, Layout
from driftloop.training.moments import Floats
from driftloop.training.spool import BLOCK, Spool

if TYPE_CHECKING:
    from driftloop.loop import LearningLoop

Labelled = tuple[pd.DataFrame, Any, Any]
"""Rows of the model's columns, their labels (0 or 1) and weights (above 0)."""

BUCKETS = 1 << 18
BUFFER = 1 << 17
"""Rows that are mixed at once, where memory does not say fewer."""
AT_ONCE = 1 << 15
"""Rows that are encoded at once."""
SHARE = 1 / 8
"""Of the memory, for the buffer and what is made of it."""
ROW_BYTES = 72
"""Of one value of a row in the buffer, all copies counted."""
UNSEEN = 0.1
"""Share of the rows, the latest, that say how sure the others' fit may be."""


def hashed_linear(loop: LearningLoop, buckets: int = BUCKETS) -> HashedLinear:
    """Return the estimator on the loop's columns; ``buckets``: a power of 2."""
    features = loop.spec.features
    return HashedLinear(features.names("numeric"), features.names("categorical"), buckets)


class HashedLinear(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression by averaged stochastic gradient descent, with Platt's scaling.

    ``numeric`` columns are standardised, and where one is missing somewhere, that is an input of
    its own; ``categorical`` ones are hashed to ``buckets``. Fitted: ``coef_``, [1 + numeric +
    lacking + buckets], the scaling within; ``mean_``, ``scale_``; ``lacking_``: places of the
    numeric columns that were missing somewhere.
    """

    def __init__(
        self,
        numeric: list[str],
        categorical: list[str],
        buckets: int = BUCKETS,
        seed: int = 0,
    ) -> None:
        self.numeric, self.categorical = numeric, categorical
        self.buckets, self.seed = buckets, seed

    def fit(self, inputs: pd.DataFrame, labels: Any, sample_weight: Any = None) -> HashedLinear:
        """Fit rows in order of time, all at hand."""
        weights = np.ones(len(inputs)) if sample_weight is None else np.asarray(sample_weight)
        return self.fit_batches([(inputs, np.asarray(labels), weights)])

    def fit_batches(self, batches: Iterable[Labelled], memory: int | None = None) -> HashedLinear:
        """Fit the rows of ``batches``, which come in order of time and are read once.

        ``memory``: bytes that the fit may use an eighth of. Encoded rows lie in a temporary file.
        """
        with tempfile.TemporaryDirectory() as scratch:
            spool = Spool(Path(scratch) / "rows", len(self.categorical), len(self.numeric))
            for inputs, labels, weights in batches:
                self._spool(spool, inputs, labels, weights)
            layout = descent.layout(spool, self.buckets)
            rng = np.random.default_rng(self.seed)
            rows = self._buffer(memory)
            self.coef_ = _scaled(Descent(spool, layout, rows, rng)).astype("float32")
        self.classes_ = np.array([0.0, 1.0])
        self.mean_, self.scale_, self.lacking_ = layout.mean, layout.scale, layout.lacking
        return self

    def decision_function(self, inputs: pd.DataFrame) -> Floats:
        """Return the log-odds of a positive for each row."""
        layout = Layout(self.mean_, self.scale_, self.lacking_, self.buckets)
        parts = [inputs.iloc[start : start + AT_ONCE] for start in range(0, len(inputs), AT_ONCE)]
        odds = [layout.matrix(*self._encoded(part)) @ self.coef_ for part in parts]
        return np.concatenate(odds) if odds else np.zeros(0)

    def predict_proba(self, inputs: pd.DataFrame) -> Floats:
        """Return the probabilities of 0 and 1, [rows, 2]."""
        positive = special.expit(self.decision_function(inputs))
        return np.stack([1 - positive, positive], axis=1)

    def predict(self, inputs: pd.DataFrame) -> Any:
        """Return the likelier label of each row."""
        return (self.decision_function(inputs) > 0).astype("float64")

    def _spool(self, spool: Spool, inputs: pd.DataFrame, labels: Any, weights: Any) -> None:
        for start in range(0, len(inputs), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            spool.add(*self._encoded(inputs.iloc[some]), labels[some], weights[some])

    def _encoded(self, inputs: pd.DataFrame) -> tuple[Any, Floats]:
        hashed = encoding.buckets(inputs, self.categorical, self.buckets)
        return hashed, encoding.numbers(inputs, self.numeric)

    def _buffer(self, memory: int | None) -> int:
        if memory is None:
            return BUFFER
        values = 1 + 2 * len(self.numeric) + len(self.categorical)
        return int(np.clip(memory * SHARE // (values * ROW_BYTES), BLOCK, BUFFER))


def _scaled(fits: Descent) -> Floats:
    """Return the coefficients of all rows, their scale learnt from the latest ones unseen."""
    rows = fits.spool.rows
    seen = rows - int(rows * UNSEEN)
    early = fits.fit(seen)
    slope = scaling.slope(lambda: fits.margins(early, seen, rows))
    found = fits.fit(rows) * slope
    found[0] += scaling.offset(lambda: fits.margins(found, 0, rows)) / descent.CONSTANT
    return found
