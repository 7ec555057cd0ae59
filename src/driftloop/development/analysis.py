"""Analysis: all that this stage says of one model, small and ready for JSON.

It is computed on samples with an upper size, so that it stays cheap beside a training, and from a
seed, so that the same rows tell the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from driftloop.development import (
    actions,
    baselines,
    challenger,
    dropping,
    error_analysis,
    importance,
    probes,
    selection,
)
from driftloop.development.actions import WRONG_LABELS, Action
from driftloop.development.baselines import Comparison
from driftloop.development.dropping import Dropped, Fit
from driftloop.development.error_analysis import ErrorAnalysis
from driftloop.development.importance import Importance, Predict
from driftloop.development.probes import Probe
from driftloop.development.selection import Suggestion
from driftloop.evaluation.difference import FEWEST_ENTITIES, Floats
from driftloop.stages.returned import Returned
from driftloop_contracts.errors import InvalidInput

MOST_ROWS = 40_000
"""Newest rows of either side that are analysed."""
PERMUTED_ROWS = 4_000
"""Held-out rows that are permuted: each group of columns costs several predictions of them."""
MOST_GROUPS = 40
"""Groups of columns that are permuted."""
REFITTED_ROWS = 5_000
CHECKED = 2
"""Groups that are noise by permutation and that a fit without is tried for."""


@dataclass(frozen=True)
class Subject:
    """The model that is analysed and what of the loop it takes to do so.

    ``predict``: the judged model's; ``fit``: fits its recipe again (None: no fit is tried);
    ``named``: columns whose values are parts; ``others``, ``suspicion``: see error_analysis.py;
    ``leakage``: the share of the deviance that one column may explain; ``wrong_labels``: the share
    of a part's labels that may be wrong.
    """

    columns: tuple[str, ...]
    entity: str
    predict: Predict
    fit: Fit | None = None
    named: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    suspicion: str = ""
    leakage: float = 0.8
    metric: str = "log_loss"
    wrong_labels: float = WRONG_LABELS


@dataclass(frozen=True)
class Analysis:
    """What was found; ``returned``: what sends the loop back to an earlier stage."""

    comparison: Comparison
    errors: ErrorAnalysis
    importances: tuple[Importance, ...] = ()
    probes: tuple[Probe, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    actions: tuple[Action, ...] = field(default=())
    wrong_labels: float | None = WRONG_LABELS

    @property
    def suggestions(self) -> list[Suggestion]:
        """Return what is suggested of the columns."""
        return selection.suggest(self.importances, self.probes, self.dropped)

    @property
    def returned(self) -> list[Returned]:
        """Return what sends the loop back to an earlier stage."""
        whole = self.comparison.returned
        back = actions.returned(self.errors, self.wrong_labels)
        return [*([whole] if whole else []), *back]

    def to_data(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return {
            "baselines": self.comparison.to_data(),
            "errors": self.errors.to_data(),
            "importance": [one.to_data() for one in self.importances],
            "probes": [one.to_data() for one in self.probes if not one.is_clean],
            "dropped": [one.to_data() for one in self.dropped],
            "suggestions": [one.to_data() for one in self.suggestions],
            "actions": [one.to_data() for one in self.actions],
            "returned": [one.to_data() for one in self.returned],
        }


def analyse(
    early: pd.DataFrame, late: pd.DataFrame, subject: Subject, rng: np.random.Generator
) -> Analysis:
    """Return the whole analysis of a model that learned from ``early``, on held-out ``late`` rows.

    Raise InvalidInput for frames without rows or without a column.
    """
    # On cores that others use as well, threads that wait for each other take many times as long.
    with threadpool_limits(challenger.THREADS):
        return _analysed(newest(early, MOST_ROWS), newest(late, MOST_ROWS), subject, rng)


def _analysed(
    early: pd.DataFrame, late: pd.DataFrame, subject: Subject, rng: np.random.Generator
) -> Analysis:
    columns, entity = subject.columns, subject.entity
    probability: Floats = subject.predict(late)
    compared = baselines.compare(early, late, probability, columns, entity, rng)
    errors = error_analysis.analyse(
        early, late, probability, columns, entity, rng,
        named=subject.named, others=subject.others, suspicion=subject.suspicion,
    )  # fmt: skip
    found = _importances(late, subject, rng)
    probed = probes.probe(early, late, columns, entity, subject.leakage, rng)
    dropped = _dropped(early, late, subject, found, rng)
    told = actions.ranked(errors, subject.metric)
    of_columns = tuple(found), tuple(probed), tuple(dropped)
    return Analysis(compared, errors, *of_columns, tuple(told), subject.wrong_labels)


def newest(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the newest ``most`` rows, in their order; all of rows without a time."""
    if len(rows) <= most or "event_time" not in rows:
        return rows
    order = np.argsort(rows["event_time"].to_numpy(), kind="stable")
    return rows.iloc[np.sort(order[-most:])]


def _importances(
    late: pd.DataFrame, subject: Subject, rng: np.random.Generator
) -> list[Importance]:
    if late[subject.entity].nunique() < FEWEST_ENTITIES or len(subject.columns) > MOST_GROUPS:
        return []
    some = late
    if len(late) > PERMUTED_ROWS:
        some = late.iloc[np.sort(rng.choice(len(late), PERMUTED_ROWS, replace=False))]
    return importance.permuted(some, subject.columns, subject.entity, subject.predict, rng)


def _dropped(
    early: pd.DataFrame,
    late: pd.DataFrame,
    subject: Subject,
    found: Sequence[Importance],
    rng: np.random.Generator,
) -> list[Dropped]:
    """Return the check of the least important groups, where there are other columns beside them."""
    noise = [one.columns for one in found if one.is_noise][-CHECKED:]
    if subject.fit is None or not noise or len(found) < 2:
        return []
    rows = newest(early, REFITTED_ROWS)
    try:
        return dropping.checked(rows, late, noise, subject.entity, subject.fit, rng)
    except (InvalidInput, ValueError, IndexError):
        return []  # Of so few positives a part has none to be fitted on: nothing is advised.
