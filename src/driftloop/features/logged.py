"""Logged: the columns that an inference record holds beside its keys, and those that are judged.

They are the model's own, what is derived of its texts, the class that was answered, and with which
probability the caller chose. Windows test them by kind; a text itself is logged, because a model is
trained on it, and never tested; propensities are the caller's business and not tested either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from driftloop.loop import LearningLoop
from driftloop.spec.features import Column, Features
from driftloop_contracts import text
from driftloop_contracts.inference import CHOSEN, is_propensity
from driftloop_contracts.text import Vocabulary

Array = np.ndarray[Any, np.dtype[Any]]

WITHOUT_VOCABULARY = (text.LENGTH, text.WORDS, text.LANGUAGE)
"""What is derived of a text alone."""


def columns(loop: LearningLoop) -> list[Column]:
    """Return what a record holds: numeric and categorical columns, those tested are monitored."""
    found = [one for column in loop.spec.features.columns for one in _logged(column)]
    answers = loop.spec.drift.predictions
    if loop.spec.objective.classes:
        chosen = Column(name=CHOSEN, kind="categorical", origin="request")
        own = {"monitored": answers.watch, "min_effect": answers.min_effect}
        found.append(chosen.model_copy(update=own))
    return found + [_propensity(name) for name in loop.spec.business.propensities]


def kinds(loop: LearningLoop, named: Collection[str]) -> dict[str, str]:
    """Return the kind of each column that a predictor logs whose bundle names ``named``.

    The sidecar takes what the bundle names, and that was made for the alternatives of its day: the
    loop may have others by now, or in the image that the predictor is of.
    """
    declared = {*loop.spec.business.propensities}
    own: dict[str, str] = {
        column.name: column.kind for column in columns(loop) if column.name not in declared
    }
    return own | dict.fromkeys(propensities(loop, named), "numeric")


def propensities(loop: LearningLoop, named: Collection[str]) -> tuple[str, ...]:
    """Return those among ``named`` that are propensities and no feature."""
    features = {*loop.spec.features.names(), *loop.spec.features.entities}
    return tuple(name for name in named if is_propensity(name) and name not in features)


def _propensity(name: str) -> Column:
    # Not validated: an alternative's name is anybody's, and a column's pattern is for features.
    return Column.model_construct(
        name=name, kind="numeric", origin="request", monitored=False, max_missing=1.0
    )


def _logged(column: Column) -> list[Column]:
    if column.kind != "text":
        return [column]
    itself = column.model_copy(update={"kind": "categorical", "monitored": False})
    kinds = text.KINDS.values()
    derived = [
        column.model_copy(update={"name": name, "kind": kind})
        for name, kind in zip(text.names(column.name), kinds, strict=True)
    ]
    return [itself, *derived]


def judged(features: Features) -> list[str]:
    """Return the columns that slices may come of and that may know the outcome: no text's own."""
    found = []
    for column in features.columns:
        if column.kind == "text":
            found += [f"{column.name}_{what}" for what in WITHOUT_VOCABULARY]
        else:
            found.append(column.name)
    return found


def vocabularies(
    rows: pd.DataFrame, features: Features
) -> tuple[dict[str, Vocabulary], dict[str, Vocabulary]]:
    """Return each text column's vocabularies: for what is served, and for ``rows`` themselves."""
    both = {n: text.vocabularies(map(text.bounded, rows[n])) for n in features.names("text")}
    return {n: one[0] for n, one in both.items()}, {n: one[1] for n, one in both.items()}


def derived(
    rows: Mapping[str, Iterable[Any]] | pd.DataFrame,
    features: Features,
    known: Mapping[str, Vocabulary],
) -> dict[str, Array]:
    """Return the columns derived of the texts in ``rows``, one value a row each.

    ``known``: each text column's vocabulary; of a column without one nothing is known.
    """
    found: dict[str, Array] = {}
    for name in features.names("text"):
        vocabulary = known.get(name, text.NOTHING)
        values = [text.derived(value, vocabulary) for value in rows[name]]
        for place, (own, kind) in enumerate(
            zip(text.names(name), text.KINDS.values(), strict=True)
        ):
            dtype = "float64" if kind == "numeric" else "object"
            found[own] = np.array([value[place] for value in values], dtype)
    return found


def described(rows: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Return ``rows`` with what is derived of their texts without a vocabulary."""
    wanted = judged(features)
    found = derived(rows, features, {})
    return rows.assign(**{name: found[name] for name in wanted if name in found})
