"""Streamed: fits of every named estimator on rows that are read batch by batch, and the choice.

What fit.py does with all rows at hand, by the same rules. Estimators must learn in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd

from driftloop.evaluation import loss
from driftloop.training import fit, split
from driftloop.training.fit import Choice
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput

if TYPE_CHECKING:
    from driftloop.training.hashed import Labelled


class Rows(Protocol):
    """Rows in order of time that can be read as often as is asked (driftloop.batches.Rows)."""

    def read(self, names: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """Yield the rows, so many at a time; ``names``: the columns wanted."""

    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return the first and the last event time."""


@runtime_checkable
class LearnsInBatches(Protocol):
    """An estimator that needs no more than a batch of rows at once."""

    def fit_batches(self, batches: Iterable[Labelled], memory: int | None = None) -> Any:
        """Return itself, fitted on all rows of the batches."""


def choose(usecase: UseCase, rows: Rows, onset: datetime | None, memory: int) -> Choice:
    """Fit every estimator of loop.yaml before the hold-out and choose by loss on it.

    ``memory``: bytes that an estimator is told of. Raise InvalidInput for one that does not learn
    in batches, and where no rows lie on one side of the hold-out's start.
    """
    spec, (first, last) = usecase.loop.spec.training, rows.span()
    start = split.holdout_start(pd.Series([first, last]), usecase.loop, onset)
    if not first < start <= last:
        what = "the training window"
        raise InvalidInput(what, f"loop {usecase.loop.name}", "two or more instants", start)
    early = {name: fitted(usecase, name, rows, memory, start) for name in spec.estimators}
    scores = {name: score(usecase, model, rows, start) for name, model in early.items()}
    best = min(scores, key=lambda name: scores[name])
    release = fitted(usecase, best, rows, memory)
    return Choice(best, early[best], release, start, scores)


def fitted(
    usecase: UseCase, name: str, rows: Rows, memory: int, end: pd.Timestamp | None = None
) -> Any:
    """Return the estimator ``name`` fitted on the rows before ``end``, newer ones weighing more."""
    estimator = fit.maker(usecase, name)(usecase.loop)
    if not isinstance(estimator, LearnsInBatches):
        allowed = "estimators that learn in batches, such as hashed_linear, with training.memory"
        raise InvalidInput("training.estimators", f"loop {usecase.loop.name}", allowed, name)
    return estimator.fit_batches(_labelled(usecase, rows, end), memory)


def score(usecase: UseCase, model: Any, rows: Rows, start: pd.Timestamp) -> float:
    """Return the weighted log loss of ``model`` on the rows from ``start`` on."""
    lost = weight = 0.0
    for batch in rows.read():
        late = batch[batch["event_time"] >= start]
        if len(late):
            predicted = fit.predict(usecase, model, late)
            lost += float(loss.log_loss(predicted, late["positives"], late["weight"]).sum())
            weight += float(late["weight"].sum())
    return lost / weight


def _labelled(usecase: UseCase, rows: Rows, end: pd.Timestamp | None) -> Iterator[Labelled]:
    half_life, newest = usecase.loop.spec.training.half_life, _newest(rows, end)
    for batch in rows.read():
        known = batch if end is None else batch[batch["event_time"] < end]
        if known.empty:
            continue
        positions, labels, weights = usecase.weighted_labels(known)
        inputs = fit.model_inputs(usecase, known).iloc[positions]
        recency = fit.recency_weights(known["event_time"], half_life, newest)
        yield inputs, labels, np.asarray(weights * recency[positions])


def _newest(rows: Rows, end: pd.Timestamp | None) -> pd.Timestamp:
    found = pd.Timestamp.min.tz_localize("UTC")
    for batch in rows.read(["event_time"]):
        times = batch["event_time"]
        known = times if end is None else times[times < end]
        found = max(found, known.max()) if len(known) else found
    return found
