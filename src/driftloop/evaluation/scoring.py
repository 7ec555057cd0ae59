"""Scoring: several models' losses on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from driftloop.bundle import model_file
from driftloop.evaluation.loss import Floats
from driftloop.features import logged
from driftloop.loop import LearningLoop
from driftloop.training import fit, target
from driftloop.training.target import Answers, Target
from driftloop.usecase import UseCase
from driftloop_contracts.inference import CATEGORY, CHOSEN

TRIVIAL = "trivial"
"""The model that always predicts the training rows' rate, or classes as often as they came."""
MODELS = ("candidate", "release", "champion", TRIVIAL)


def losses(
    usecase: UseCase, rows: pd.DataFrame, models: dict[str, Path], base: Floats | None = None
) -> pd.DataFrame:
    """Return each row's key, columns, weight, positives and what every model makes of it.

    ``base``: target.base of the rows that the candidate was fitted on (None: no trivial model is
    asked). Row totals of every model: ``<name>_loss`` (nats), ``<name>_brier`` and
    ``<name>_predicted`` (positives); ``probability``: the candidate's, which has not seen the rows.
    Of classes ``<name>_positives`` too, the weight where that model was right, ``positives`` is the
    candidate's, and ``predicted_class`` its answer.
    """
    return of_loaded(usecase, rows, load(models), base)


def load(models: Mapping[str, Path]) -> dict[str, Any]:
    """Return the models in these files by their names."""
    return {name: model_file.load(path) for name, path in models.items()}


def of_loaded(
    usecase: UseCase, rows: pd.DataFrame, models: Mapping[str, Any], base: Floats | None = None
) -> pd.DataFrame:
    """Return what ``losses`` does, of models that are loaded already."""
    aim = target.of(usecase.loop)
    scored = _described(usecase.loop, rows)
    for name, model in models.items():
        answers = fit.answers(usecase, model, rows)
        told = _told(name, answers, rows, aim)
        if name == "candidate":
            scored["probability"] = answers.prediction
            if answers.chosen is not None:
                scored[CHOSEN], scored["positives"] = answers.chosen, told["candidate_positives"]
        scored = scored.assign(**told)
    if base is None:
        return scored
    return scored.assign(**_told(TRIVIAL, aim.always(base, len(rows)), rows, aim))


def _described(loop: LearningLoop, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows' keys, labels and what slices and leakage are looked for in."""
    spec = loop.spec
    own = ["prediction_id", "event_time", spec.gate.entity, "weight", "positives"]
    truth = [CATEGORY] if spec.objective.classes else []
    wanted = [*own, *truth, *spec.gate.slices.columns, *logged.judged(spec.features)]
    return logged.described(rows, spec.features)[list(dict.fromkeys(wanted))].copy()


def summed(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the one row of sums that ``metrics`` reads; those of parts of the rows add up."""
    names = ["weight", "positives", *(f"{name}_loss" for name in MODELS)]
    return scored[[name for name in names if name in scored]].sum().to_frame().T


def metrics(scored: pd.DataFrame, loop: LearningLoop) -> dict[str, float]:
    """Return each model's loss per impression, and that of the rows' own base rate or shares."""
    impressions = scored["weight"].sum()
    names = [f"{name}_loss" for name in MODELS if f"{name}_loss" in scored]
    per_model = {name: float(scored[name].sum() / impressions) for name in names}
    return per_model | {"base_entropy": target.of(loop).entropy(scored)}


def _told(name: str, answers: Answers, rows: pd.DataFrame, aim: Target) -> dict[str, Floats]:
    judged = aim.judge(answers, rows)
    told = {
        f"{name}_loss": judged.loss,
        f"{name}_brier": judged.brier,
        f"{name}_predicted": judged.predicted,
    }
    return told if answers.chosen is None else told | {f"{name}_positives": judged.positives}
