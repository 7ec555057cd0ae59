"""Corrected: a model whose probabilities are moved back to those of all rows.

It carries the model, a shift of its log-odds, and what a calibration learnt: the slope and
intercept of Platt's scaling (1999), or the steps of an isotonic one (Zadrozny and Elkan, 2002).
It holds numbers and arrays alone, so its type is reviewed once (bundle/model_file.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin

from driftloop.training import imbalance
from driftloop.training.imbalance import Floats


class Corrected(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted ``model`` of two classes with the correction of its probabilities.

    ``shift``: added to its log-odds, before ``slope`` and ``intercept`` are applied to them;
    ``at``, ``level``: ascending log-odds and what they become, straight between them and parallel
    beyond (None: no isotonic calibration).
    """

    def __init__(
        self,
        model: Any,
        shift: float = 0.0,
        slope: float = 1.0,
        intercept: float = 0.0,
        at: Floats | None = None,
        level: Floats | None = None,
    ) -> None:
        self.model, self.shift, self.slope, self.intercept = model, shift, slope, intercept
        self.at, self.level = at, level

    @property
    def classes_(self) -> Any:
        """Return the classes, 0 and 1."""
        return self.model.classes_

    def predict_proba(self, inputs: Any) -> Floats:
        """Return the corrected probabilities of both classes, [rows, 2]."""
        learnt = self.model.predict_proba(inputs)[:, 1]
        odds = self.slope * (imbalance.log_odds(learnt) + self.shift) + self.intercept
        positive = special.expit(self._stepped(odds))
        return np.stack([1 - positive, positive], axis=1)

    def predict(self, inputs: Any) -> Any:
        """Return the class that is more likely."""
        return self.classes_[(self.predict_proba(inputs)[:, 1] > 0.5).astype(int)]

    def _stepped(self, odds: Floats) -> Floats:
        if self.at is None or self.level is None:
            return odds
        beyond = odds - np.clip(odds, self.at[0], self.at[-1])
        found: Floats = np.interp(odds, self.at, self.level) + beyond
        return found
