"""A use case's own traffic as labelled rows, and what its first estimator makes of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop import settled
from driftloop.evaluation import loss
from driftloop.labels import errors, out_of_fold
from driftloop.labels.classes import NONE, Codes, Floats
from driftloop.labels.classes import codes as codes_of
from driftloop.traffic import Traffic
from driftloop.training import fit, split
from driftloop.usecase import Span, UseCase
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY


@dataclass(frozen=True, eq=False)
class Labelled:
    """``rows`` of the traffic, newest last, with ``positives``, and their labels as ``codes``.

    Where the objective has classes, with the ``category`` too.
    """

    rows: pd.DataFrame
    codes: Codes
    classes: tuple[str, ...]


def read(case: UseCase, span: Span, most: int) -> Labelled:
    """Return the newest ``most`` rows of ``span`` with what became of them in the end.

    A row that is not mature by then has no label; one without an outcome as its source says.
    """
    return _of(case, case.read(span), most)


def _of(case: UseCase, traffic: Traffic, most: int) -> Labelled:
    known = settled.rows(case, traffic).rows.set_index("prediction_id")
    rows = traffic.requests.tail(most)
    told = [name for name in ("positives", CATEGORY) if name in known]
    labels = known[told].reindex(rows["row_id"])
    rows = rows.assign(**{name: labels[name].to_numpy() for name in told})
    return _labelled(case, rows.reset_index(drop=True))


def joined(case: UseCase, span: Span, most: int) -> Labelled:
    """Return the newest labelled rows that are one impression, with their point-in-time features.

    Raise InvalidInput where there is none.
    """
    traffic = case.read(span)
    every = _of(case, traffic, 2**62)
    rows = every.rows[every.codes != NONE]
    if rows.empty:
        where, allowed = f"the traffic of {case.name}", "of weight 1, some with an outcome"
        raise InvalidInput("the rows", where, allowed, f"{len(every.rows)} others")
    return _labelled(case, settled.joined(case, traffic, rows, most))


def probabilities(case: UseCase, labelled: Labelled, rng: np.random.Generator) -> Floats:
    """Return the out-of-fold probabilities of the first estimator, entity by entity."""
    name, rows = case.loop.spec.training.estimators[0], labelled.rows

    def fit_and_predict(train: Codes, test: Codes) -> Floats:
        model = fit.fit(case, name, rows.iloc[train])
        return _predicted(case, model, rows.iloc[test], labelled.classes)

    entities = rows[case.loop.spec.gate.entity]
    return out_of_fold.probabilities(fit_and_predict, labelled.codes, rng, entities=entities)


def held_out(case: UseCase, labelled: Labelled) -> tuple[Labelled, pd.Series[Any], Any]:
    """Return the rows before the hold-out, the held-out rows' entities, and what scores those.

    The last is a ``correction.FitAndScore`` over positions among the first.
    """
    rows, name = labelled.rows, case.loop.spec.training.estimators[0]
    start = split.holdout_start(rows["event_time"], case.loop, None)
    is_late = (rows["event_time"] >= start).to_numpy()
    early, late = rows[~is_late], rows[is_late]
    truth = labelled.codes[is_late]

    def fit_and_score(positions: Codes, codes: Codes) -> Floats:
        taught = _taught(case, early.iloc[positions], codes)
        p = _predicted(case, fit.fit(case, name, taught), late, labelled.classes)
        losses: Floats = -np.log(np.clip(p[np.arange(len(late)), truth], loss.CLIP, 1))
        return losses

    before = _labelled(case, early.reset_index(drop=True))
    return before, late[case.loop.spec.gate.entity], fit_and_score


def _taught(case: UseCase, rows: pd.DataFrame, codes: Codes) -> pd.DataFrame:
    """Return rows of one impression with the labels ``codes`` in place of their own."""
    classes = case.loop.spec.objective.classes
    if not classes:
        return rows.assign(positives=codes.astype("float64"))
    return rows.assign(**{CATEGORY: np.asarray(classes, dtype=object)[codes]})


def _predicted(case: UseCase, model: Any, rows: pd.DataFrame, classes: Sequence[str]) -> Floats:
    """Return probabilities in the order of ``classes``; the model may know places or names."""
    given = model.predict_proba(fit.model_inputs(case, rows))
    found = np.zeros((len(rows), len(classes)))
    for column, known in enumerate(model.classes_):
        place = classes.index(known) if isinstance(known, str) else int(known)
        found[:, place] = given[:, column]
    return found


def _labelled(case: UseCase, rows: pd.DataFrame) -> Labelled:
    classes = case.loop.spec.label_classes
    if not case.loop.spec.objective.classes:
        return Labelled(rows, errors.single(rows["positives"], rows["weight"]), classes)
    named = codes_of(rows[CATEGORY], classes, f"the traffic of {case.name}")
    return Labelled(rows, np.where(rows["weight"] == 1, named, NONE), classes)
