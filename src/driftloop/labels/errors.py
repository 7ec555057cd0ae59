"""Errors: which labels are probably wrong, how many, and how sure that is.

Confident learning (Northcutt, Jiang and Chuang, 2021, JAIR 70:1373) on out-of-fold probabilities,
of models that did not see the row's own label. A row counts for class j where its p_j is at least
t_j, the mean p_j of the rows labelled j; the rows labelled i that count for j make the confident
joint, and those with i != j are suspected, the least margin p_label - max other p first.

How many are wrong is not read off the joint but off the surest rows (noise.py): the joint takes
every row on which classes overlap for an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation.difference import Interval, finite
from driftloop.labels import classes as names
from driftloop.labels import noise as noises
from driftloop.labels.classes import NONE, Codes, Floats
from driftloop.labels.noise import UNKNOWN
from driftloop.labels.proportion import wilson
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop_contracts.errors import InvalidInput

WHERE = "the search for label errors"


@dataclass(frozen=True, eq=False)
class LabelErrors:
    """What was found; arrays have one value a row.

    ``joint`` [given, true]: rows, estimated by the confident joint; ``transition`` [true, given]:
    T; ``rate``: of wrong labels, between its two-sided 95 % bounds; ``order``: the labelled rows'
    positions, the most suspect first; ``flagged``: those of the confident joint that are suspected,
    no more than the rate says, none where it is not known; ``proposed``: the class the model holds
    for likeliest; ``wrong``: P(the label is wrong), NaN where the rate is not known; ``note``: what
    the rate rests on, or why it is not known.
    """

    classes: tuple[str, ...]
    labels: Codes
    joint: Floats
    thresholds: Floats
    transition: Floats
    rate: Interval
    order: Codes
    flagged: Codes
    proposed: Codes
    self_confidence: Floats
    margin: Floats
    wrong: Floats
    disagreement: float
    note: str

    def expected(self, k: int) -> Interval:
        """Return the share of the ``k`` most suspect rows that are expected to be wrong.

        Between the bounds that so many rows would have; NaN between 0 and 1 where the rate is not
        known.
        """
        top = self.order[:k]
        if math.isnan(self.rate.estimate) or not len(top):
            return UNKNOWN
        return wilson(float(self.wrong[top].sum()), float(len(top)))

    def table(self, k: int) -> pd.DataFrame:
        """Return the ``k`` most suspect rows, with their ``position`` in what was given."""
        top = self.order[:k]
        called = np.asarray(self.classes, dtype=object)
        columns = {
            "position": top,
            "label": called[self.labels[top]],
            "proposed": called[self.proposed[top]],
            "self_confidence": self.self_confidence[top],
            "margin": self.margin[top],
            "wrong": self.wrong[top],
        }
        return pd.DataFrame(columns)

    def sentence(self, k: int) -> str:
        """Return what was found, and what to expect of the ``k`` most suspect rows."""
        k = min(k, len(self.order))
        if math.isnan(self.rate.estimate):
            return f"How many labels are wrong is not known: {self.note}"
        low, share, high = self.rate
        likely = self.expected(k)
        return (
            f"{share:.1%} of the labels are wrong ({low:.1%} to {high:.1%}). Of the {k} most"
            f" suspect rows {likely.estimate:.0%} are expected to be ({likely.low:.0%} to"
            f" {likely.high:.0%}), the others are false alarms. {self.note}"
        )

    def to_data(self, k: int = 100) -> dict[str, Any]:
        """Return the finding, ready for JSON, with the ``k`` most suspect rows."""
        bounds = self.rate.named()
        top = self.table(k)
        top["wrong"] = top["wrong"].astype(object).map(finite)
        wrong = self.expected(k).named()
        return {
            "classes": list(self.classes),
            "rows": len(self.order),
            "rate": bounds,
            "flagged": len(self.flagged),
            "joint": self.joint.tolist(),
            "transition": self.transition.tolist(),
            "disagreement": self.disagreement,
            "expected_wrong": wrong,
            "top": top.to_dict("records"),
            "note": self.note,
        }


def find(
    labels: Any, probabilities: Any, classes: Sequence[str], *, decidable: bool
) -> LabelErrors:
    """Return the rows of ``labels`` that are probably wrong, by out-of-fold ``probabilities``.

    ``labels``: class names, or codes with -1 for none; ``probabilities`` [rows, classes], or of the
    second of two classes; ``decidable``: whether a person could tell the class from a row, as of a
    text and not of a click. Raise InvalidInput for other shapes, numbers that are no probabilities,
    no labelled row and a class without one.
    """
    wanted = names.required(classes)
    codes = given_codes(labels, wanted)
    found = names.probabilities(probabilities, len(codes), wanted, WHERE)
    rows = np.flatnonzero(codes != NONE)
    given, p = codes[rows], found[rows]
    counts = np.bincount(given, minlength=len(wanted))
    if not counts.all():
        lacking = wanted[int(counts.argmin())]
        raise InvalidInput("each class", WHERE, "the label of some row", f"no row of '{lacking}'")
    thresholds = np.array([p[given == k, k].mean() for k in range(len(wanted))])
    sure = p >= thresholds
    counted = np.where(sure, p, -1.0).argmax(axis=1)
    joint = _joint(given, counted, sure.any(axis=1), counts)
    noise = noises.estimate(given, p, wanted, decidable)
    own = p[np.arange(len(given)), given]
    others = np.where(np.arange(len(wanted)) == given[:, None], -1.0, p)
    margin = own - others.max(axis=1)
    order = np.argsort(margin, kind="stable")
    suspected = (sure.any(axis=1) & (counted != given))[order]
    share = noise.rate.estimate
    most = 0 if math.isnan(share) else round(share * len(order))
    of_row = np.full((3, len(codes)), np.nan)
    of_row[:2, rows] = own, margin
    if not math.isnan(share):
        of_row[2, rows] = noises.wrong(given, p, noise.transition)
    return LabelErrors(
        classes=wanted,
        labels=codes,
        joint=joint,
        thresholds=thresholds,
        transition=noise.transition,
        rate=noise.rate,
        order=rows[order],
        flagged=rows[order][suspected][:most],
        proposed=found.argmax(axis=1),
        self_confidence=of_row[0],
        margin=of_row[1],
        wrong=of_row[2],
        disagreement=float((p.argmax(axis=1) != given).mean()),
        note=noise.note,
    )


def given_codes(labels: Any, classes: Sequence[str]) -> Codes:
    """Return labels as codes: codes as they are, names by their place in ``classes``."""
    values = np.asarray(labels)
    if values.dtype.kind not in "iu":
        return names.codes(labels, classes, WHERE)
    if values.ndim != 1 or (values.size and not -1 <= values.min() <= values.max() < len(classes)):
        allowed = f"a list of -1 to {len(classes) - 1}"
        got = int(values.max()) if values.size else values.shape
        raise InvalidInput("the labels' codes", WHERE, allowed, got)
    return values.astype("int64")


def single(positives: Any, weight: Any, classes: int = 2) -> Codes:
    """Return the labels of rows that are one impression as codes; -1 of aggregates and of no label.

    ``positives``: 0 or 1, of more classes the place of the row's. An aggregate has many labels,
    some of each class, and no one of them can be pointed at.

    >>> single([0, 1, 3], [1, 1, 20]).tolist()
    [0, 1, -1]
    """
    value, n = np.asarray(positives, "float64"), np.asarray(weight, "float64")
    alone = (n == 1) & np.isin(value, np.arange(classes))
    return np.where(alone, np.where(alone, value, 0), NONE).astype("int64")


def judge(rate: Interval, allowed: float, rows: int, how: str) -> Returned | None:
    """Return the way back to data engineering where more labels are surely wrong than allowed.

    ``allowed``: the charter's ``data.labelling.maxErrors``; ``how``: what the rate is from, such
    as "the surest rows" or "review".

    >>> judge(Interval(0.04, 0.06, 0.08), 0.05, 1000, "review") is None
    True
    """
    if not rate.low > allowed:
        return None
    reason = (
        f"{rate.estimate:.1%} of {rows:,} labels are wrong by {how}, surely {rate.low:.1%} or more,"
        f" where {allowed:.1%} are allowed."
    )
    return RULES["label_errors"].returned(reason)


def _joint(given: Codes, counted: Codes, confident: Any, counts: Any) -> Floats:
    """Return the confident joint, scaled to the rows of each label."""
    found = np.zeros((len(counts), len(counts)))
    np.add.at(found, (given[confident], counted[confident]), 1.0)
    found[found.sum(axis=1) == 0] = np.eye(len(counts))[found.sum(axis=1) == 0]
    scaled: Floats = found / found.sum(axis=1, keepdims=True) * counts[:, None]
    return scaled
