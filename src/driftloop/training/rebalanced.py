"""Rebalanced: an estimator fitted on a sample of the negatives, with corrected probabilities.

A calibration is learnt on predictions of blocks of time that the fit behind them has not seen,
each block with its share of the positives; the model itself is fitted on all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone

from driftloop.spec.imbalance import Imbalance
from driftloop.training import imbalance, recalibration
from driftloop.training.corrected import Corrected
from driftloop.training.imbalance import Floats, Positions, Sample
from driftloop.training.recalibration import Recalibration
from driftloop_contracts.errors import InvalidInput

BLOCKS = 3
"""Blocks of time, each predicted by a fit on the others."""


def fit(
    estimator: Any,
    inputs: pd.DataFrame,
    labels: Floats,
    weights: Floats,
    policy: Imbalance,
    keys: ArrayLike | None = None,
) -> Any:
    """Return ``estimator`` fitted on what ``policy`` takes, predicting for all rows.

    ``inputs``: labelled rows in the order of time; ``labels``: 0 or 1; ``weights``: above 0;
    ``keys``: what a row is kept by. Raise InvalidInput where a class is absent, or where positives
    are too few for the calibration that is asked for.
    """
    if policy.is_off:
        return fit_weighted(estimator, inputs, labels, weights)
    sample = imbalance.draw(labels, weights, policy, keys)
    taken, known = inputs.iloc[sample.positions], labels[sample.positions]
    learnt = _recalibration(estimator, taken, known, sample, policy)
    model = fit_weighted(estimator, taken, known, sample.weights)
    if not sample.shift and learnt is None:
        return model
    return Corrected(model, sample.shift, **vars(learnt or Recalibration()))


def fit_weighted(estimator: Any, inputs: pd.DataFrame, labels: Floats, weights: Floats) -> Any:
    """Return ``estimator`` fitted with sample weights."""
    return estimator.fit(inputs, labels, **{weight_name(estimator): weights})


def weight_name(estimator: Any) -> str:
    """Return what fit calls its sample weights: a Pipeline hands them to its last step."""
    steps = getattr(estimator, "steps", None)
    return f"{steps[-1][0]}__sample_weight" if steps else "sample_weight"


def _recalibration(
    estimator: Any, inputs: pd.DataFrame, labels: Floats, sample: Sample, policy: Imbalance
) -> Recalibration | None:
    rarer = int(min(labels.sum(), (1 - labels).sum()))
    how = recalibration.method(rarer) if policy.calibration == "auto" else policy.calibration
    if how == "none":
        return None
    if rarer < recalibration.FEWEST:
        allowed = f"at least {recalibration.FEWEST} of the rarer class for calibration: {how}"
        raise InvalidInput("rows", imbalance.WHERE, allowed, rarer)
    blocks, odds = _blocks(labels), np.empty(len(labels))
    for block in range(BLOCKS):
        seen, judged = blocks != block, blocks == block
        model = fit_weighted(clone(estimator), inputs[seen], labels[seen], sample.weights[seen])
        predicted = model.predict_proba(inputs[judged])[:, 1]
        odds[judged] = imbalance.log_odds(predicted) + sample.shift
    return recalibration.learn(odds, labels, sample.stands_for, how)


def _blocks(labels: Floats) -> Positions:
    """Return each row's block, of either class a third in each, the earliest first."""
    blocks = np.empty(len(labels), "int64")
    for value in (0, 1):
        places = np.flatnonzero(labels == value)
        blocks[places] = np.arange(len(places)) * BLOCKS // len(places)
    return blocks
