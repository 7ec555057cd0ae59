"""Noise: how many labels are wrong, and how probably each one is.

The confident joint's own rate of errors (errors.py) takes rows on which classes overlap for errors:
8 % of clean labels of two classes that a model tells apart on 84 % of rows. It is therefore
read off the surest rows. Of the surest fifth (or two, ``_anchors``) of the rows predicted as k let
T[k, j] be the share labelled j, and pi the class shares under which the labels seen come about:

    rate = sum_k pi_k (1 - T[k, k])        pi T = the shares of labels

Its assumption is that the surest rows of a class are of that class (anchors: Liu and Tao, 2016,
IEEE TPAMI 38:447) and that errors do not depend on the row beyond its class. Errors that gather
where classes overlap are then missed, so the lower bound is a cautious one. Nothing else could be
known from the rows alone: labels that are chance look like errors. Whoever asks says, therefore,
whether a row decides its class (``decidable``); of a click it does not, and only review can tell.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.isotonic import IsotonicRegression

from driftloop.evaluation.difference import Interval
from driftloop.labels.classes import Codes, Floats
from driftloop.labels.proportion import wilson

SUREST = 0.2
"""Share of the rows predicted as a class that stand for it. Less is purer and less precise."""
FEWEST = 50
"""Rows that stand for a class, at least."""
PURE = 0.6
"""Share of them labelled as it, without which they are no anchors."""
UNKNOWN = Interval(0.0, math.nan, 1.0)


class Noise(NamedTuple):
    """T [true, given], the share of wrong labels between 95 % bounds, and what that rests on."""

    transition: Floats
    rate: Interval
    note: str


def estimate(given: Codes, p: Floats, classes: tuple[str, ...], decidable: bool) -> Noise:
    """Return what out-of-fold probabilities ``p`` tell of the labels ``given``."""
    size = len(classes)
    if not decidable:
        note = (
            "a row does not decide its class, so an error looks like chance; review some by hand."
        )
        return Noise(np.eye(size), UNKNOWN, note)
    transition, bounds, predicted = np.eye(size), [], p.argmax(axis=1)
    for k in range(size):
        rows = np.flatnonzero(predicted == k)
        surest = rows[np.argsort(-p[rows, k], kind="stable")]
        anchors, found = _anchors(given[surest] != k)
        told = np.bincount(given[surest[:anchors]], minlength=size)
        if anchors < FEWEST or told[k] < PURE * anchors:
            note = (
                f"the model has too few rows that are surely '{classes[k]}'; review some by hand."
            )
            return Noise(np.eye(size), UNKNOWN, note)
        transition[k] = told / anchors
        bounds.append(found)
    labels = np.bincount(given, minlength=size) / len(given)
    shares = np.clip(np.linalg.lstsq(transition.T, labels, rcond=None)[0], 0, None)
    rate = _sum(shares / shares.sum(), bounds)
    return Noise(transition, rate, "It is read off the surest rows.")


def _anchors(other: Any) -> tuple[int, Interval]:
    """Return how many of the rows, the surest first, stand for their class, and the bounded share
    of ``other`` labels among them.

    Twice as many where the share among those is smaller: a row that is left out of a fit is surer
    of the other label by a trifle, and among the very surest that shows. Where it is greater, what
    may be overlap rather than error goes off the lower bound: as much as the share rises, for it
    falls at least that fast towards the surest.
    """
    few, many = (min(len(other), max(FEWEST, int(n * SUREST * len(other)))) for n in (1, 2))
    if not few:
        return 0, UNKNOWN
    rise = float(other[:many].mean() - other[:few].mean())
    anchors = few if rise > 0 else many
    found = wilson(float(other[:anchors].sum()), float(anchors))
    return anchors, found._replace(low=found.low - max(0.0, rise))


def _sum(shares: Floats, bounds: list[Interval]) -> Interval:
    """Return the weighted sum of independent shares with its bounds (Zou and Donner, 2008)."""
    low, middle, high = np.array(bounds).T
    value = float(shares @ middle)
    below = math.sqrt(float(((shares * (middle - low)) ** 2).sum()))
    above = math.sqrt(float(((shares * (high - middle)) ** 2).sum()))
    return Interval(max(0.0, value - below), value, min(1.0, value + above))


def wrong(given: Codes, p: Floats, transition: Floats) -> Floats:
    """Return P(label is wrong) of each row, from the labels of the rows that are as sure.

    Among the rows predicted as k the share q_j of each other label can only rise as sureness falls
    (isotonic regression), so no calibration of the model is relied on. The true shares there are
    eta = q T^-1, and a label j is right with probability eta_j T[j, j] / q_j.
    """
    size, predicted, found = len(transition), p.argmax(axis=1), np.zeros(len(given))
    back = np.linalg.pinv(transition)
    for k in np.unique(predicted):
        rows = np.flatnonzero(predicted == k)
        told = _told(given[rows], -p[rows, k], int(k), size)
        true = np.clip(told @ back, 0, None)
        true /= true.sum(axis=1, keepdims=True)
        right = true * np.diag(transition) / np.maximum(told, 1e-12)
        own = right[np.arange(len(rows)), given[rows]]
        found[rows] = 1 - np.clip(own, 0, 1)
    return found


def _told(given: Codes, doubt: Floats, k: int, size: int) -> Floats:
    """Return the shares of labels among rows as sure, [rows, classes], of those predicted as k."""
    found = np.zeros((len(given), size))
    for j in range(size):
        if j != k:
            found[:, j] = rising(doubt, given == j)
    found /= np.maximum(found.sum(axis=1, keepdims=True), 1.0)
    found[:, k] = 1 - found.sum(axis=1)
    return found


def rising(order: Floats, happened: Any) -> Floats:
    """Return the share that ``happened`` at each place of ``order``, never falling along it.

    >>> rising(np.array([3.0, 1.0, 2.0]), np.array([1, 1, 0])).tolist()
    [1.0, 0.5, 0.5]
    """
    found: Floats = IsotonicRegression().fit_transform(order, happened.astype("float64"))
    return found
