"""By class: the analysis of a model that says which of several classes a row is.

What it takes no model to say is class_rates.py's, where and why it errs class_errors.py's. A column
tells what its permutation costs in the probability that is given to what happened.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from driftloop.development import (
    actions,
    analysis,
    challenger,
    class_errors,
    class_rates,
    importance,
    labelled,
)
from driftloop.development.analysis import Analysis
from driftloop.development.class_subject import Subject
from driftloop.development.importance import Importance
from driftloop.evaluation.difference import FEWEST_ENTITIES, Floats
from driftloop_contracts.inference import CATEGORY

METRIC = "cross_entropy"
PERMUTED_ROWS, REPEATS = 1_000, 3
"""Held-out rows that are permuted, and how often: texts take long to be read again."""


def analyse(
    early: pd.DataFrame, late: pd.DataFrame, subject: Subject, rng: np.random.Generator
) -> Analysis:
    """Return the whole analysis of a model that learned from ``early``, on held-out ``late`` rows.

    Frames: ``event_time``, ``weight``, ``category``, the entity and the subject's columns. Raise
    InvalidInput for a category that is no class, for a frame that lacks a column, and for what is
    no probability. Wrong labels send the loop back only where the trees see all that the model
    sees: else a model that errs by what only it reads looks like labels that are wrong.
    """
    classes, columns, entity = subject.classes, subject.columns, subject.entity
    _require(early, late, subject)
    probabilities = subject.probabilities(late)
    with threadpool_limits(challenger.THREADS):
        given = subject.given(late, probabilities)
        labelled.require_probability(given, late, "the held-out rows")
        compared = class_rates.compare(early, late, given, classes, columns, entity, rng)
        errors = class_errors.analyse(early, late, probabilities, subject, rng)
        told = tuple(actions.ranked(errors, METRIC))
        found = tuple(_importances(late, subject, rng))
    most = subject.wrong_labels if {*subject.inputs} <= {*columns} else None
    return Analysis(compared, errors, found, actions=told, wrong_labels=most)


def _require(early: pd.DataFrame, late: pd.DataFrame, subject: Subject) -> None:
    wanted = ["event_time", CATEGORY, subject.entity, *subject.columns, *subject.inputs]
    for rows, where in ((early, "the early rows"), (late, "the held-out rows")):
        if "weight" in rows:
            rows = rows.assign(positives=rows["weight"])
        labelled.require(rows, wanted, where)


def _importances(
    late: pd.DataFrame, subject: Subject, rng: np.random.Generator
) -> list[Importance]:
    if late[subject.entity].nunique() < FEWEST_ENTITIES:
        return []
    few = min(len(late), PERMUTED_ROWS)
    some = late.iloc[np.sort(rng.choice(len(late), few, replace=False))]
    groups = [(name,) for name in subject.inputs[: analysis.MOST_GROUPS]]
    rows, entity = some.assign(positives=some["weight"]), subject.entity

    def predict(shown: pd.DataFrame) -> Floats:
        return subject.given(shown, subject.probabilities(shown))

    return importance.permuted(rows, subject.inputs, entity, predict, rng, REPEATS, groups)
