"""Scoring: several models' losses on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from driftloop.bundle import model_file
from driftloop.evaluation import loss
from driftloop.evaluation.loss import Floats
from driftloop.training import fit
from driftloop.usecase import UseCase

TRIVIAL = "trivial"
"""The model that always predicts the training rows' rate."""
MODELS = ("candidate", "release", "champion", TRIVIAL)


def losses(
    usecase: UseCase, rows: pd.DataFrame, models: dict[str, Path], rate: float | None = None
) -> pd.DataFrame:
    """Return each row's key, columns, weight, positives and what every model makes of it.

    ``rate``: of positives in the rows that the candidate was fitted on (None: no trivial model is
    asked). Row totals of every model: ``<name>_loss`` (nats), ``<name>_brier`` and
    ``<name>_predicted`` (positives); ``probability``: the candidate's, which has not seen the rows.
    """
    return of_loaded(usecase, rows, load(models), rate)


def load(models: Mapping[str, Path]) -> dict[str, Any]:
    """Return the models in these files by their names."""
    return {name: model_file.load(path) for name, path in models.items()}


def of_loaded(
    usecase: UseCase, rows: pd.DataFrame, models: Mapping[str, Any], rate: float | None = None
) -> pd.DataFrame:
    """Return what ``losses`` does, of models that are loaded already."""
    spec = usecase.loop.spec
    own = ["prediction_id", "event_time", spec.gate.entity, "weight", "positives"]
    wanted = [*own, *spec.gate.slices.columns, *spec.features.names()]
    scored = rows[list(dict.fromkeys(wanted))].copy()
    for name, model in models.items():
        probability = fit.predict(usecase, model, rows)
        if name == "candidate":
            scored["probability"] = probability
        scored = scored.assign(**_told(name, probability, rows))
    if rate is None:
        return scored
    return scored.assign(**_told(TRIVIAL, np.full(len(rows), rate), rows))


def summed(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the one row of sums that ``metrics`` reads; those of parts of the rows add up."""
    names = ["weight", "positives", *(f"{name}_loss" for name in MODELS)]
    return scored[[name for name in names if name in scored]].sum().to_frame().T


def metrics(scored: pd.DataFrame) -> dict[str, float]:
    """Return each model's log loss per impression, and that of the rows' own base rate."""
    impressions = scored["weight"].sum()
    names = [f"{name}_loss" for name in MODELS if f"{name}_loss" in scored]
    per_model = {name: float(scored[name].sum() / impressions) for name in names}
    return per_model | {"base_entropy": loss.base_entropy(scored["positives"], scored["weight"])}


def _told(name: str, probability: Floats, rows: pd.DataFrame) -> dict[str, Floats]:
    positives, weight = rows["positives"], rows["weight"]
    return {
        f"{name}_loss": loss.log_loss(probability, positives, weight),
        f"{name}_brier": loss.brier(probability, positives, weight),
        f"{name}_predicted": probability * weight.to_numpy("float64"),
    }
