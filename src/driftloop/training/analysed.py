"""Analysed: the analysis of a use case's judged model, of two outcomes or of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from driftloop.development import analysis, by_class
from driftloop.development.analysis import Analysis, Subject
from driftloop.development.class_subject import Subject as ClassSubject
from driftloop.evaluation.difference import Floats
from driftloop.features import logged
from driftloop.spec.features import Features
from driftloop.training import fit
from driftloop.training.corrected import Corrected
from driftloop.usecase import UseCase

MOST_EARLY, MOST_LATE = 20_000, 10_000
"""The newest rows that are analysed, of fit and of hold-out: the pipeline waits for it."""
MOST_OF_CLASSES = 8_000, 4_000
"""The same of classes, each of which is analysed."""


def of_candidate(
    usecase: UseCase,
    early: pd.DataFrame,
    late: pd.DataFrame,
    model: Any,
    facts: Mapping[str, Any],
    rng: np.random.Generator,
) -> Analysis:
    """Return the analysis of the judged ``model``; ``facts``: what train returned."""
    spec = usecase.loop.spec
    if spec.objective.classes:
        return _of_classes(usecase, early, late, model, rng)
    # On their way as metadata whole numbers become floats, so the values are the model's own.
    inner = model.model if isinstance(model, Corrected) else model
    name, own = str(facts["estimator"]), inner.get_params()
    parameters = {each: own[each] for each in facts.get("parameters") or {}}

    def refit(rows: pd.DataFrame) -> Any:
        fitted = fit.fit(usecase, name, rows, parameters)
        return lambda later: fit.predict(usecase, fitted, later)

    subject = Subject(
        columns=_judged(spec.features),
        entity=spec.gate.entity,
        predict=lambda rows: fit.predict(usecase, model, rows),
        fit=refit,
        named=spec.gate.slices.columns,
        leakage=spec.gate.leakage,
        metric=spec.objective.metric,
        wrong_labels=spec.data.labelling.max_errors,
    )
    fitted, judged = analysis.newest(early, MOST_EARLY), analysis.newest(late, MOST_LATE)
    return analysis.analyse(_typed(usecase, fitted), _typed(usecase, judged), subject, rng)


def _of_classes(
    usecase: UseCase, early: pd.DataFrame, late: pd.DataFrame, model: Any, rng: np.random.Generator
) -> Analysis:
    spec = usecase.loop.spec

    def probabilities(rows: pd.DataFrame) -> Floats:
        found = fit.answers(usecase, model, rows).probabilities
        assert found is not None
        return found

    subject = ClassSubject(
        classes=spec.objective.classes,
        inputs=tuple(spec.features.names()),
        columns=tuple(logged.judged(spec.features)),
        entity=spec.gate.entity,
        probabilities=probabilities,
        named=spec.gate.slices.columns,
        decidable=spec.data.labelling.decidable,
        wrong_labels=spec.data.labelling.max_errors,
    )
    most_early, most_late = MOST_OF_CLASSES
    parts = analysis.newest(early, most_early), analysis.newest(late, most_late)
    told = [logged.described(_typed(usecase, rows), spec.features) for rows in parts]
    return by_class.analyse(told[0], told[1], subject, rng)


def _typed(usecase: UseCase, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the model's columns as the model is given them."""
    inputs = fit.model_inputs(usecase, rows)
    return rows.assign(**{str(name): inputs[name] for name in inputs})


def _judged(features: Features) -> tuple[str, ...]:
    """Return the columns whose values may be told: what somebody wrote is not among them."""
    return tuple(column.name for column in features.columns if column.kind != "text")
