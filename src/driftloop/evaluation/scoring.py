"""Scoring: several models' losses on the same rows."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from driftloop.bundle import model_file
from driftloop.evaluation import loss
from driftloop.training import fit
from driftloop.usecase import UseCase


def losses(usecase: UseCase, rows: pd.DataFrame, models: dict[str, Path]) -> pd.DataFrame:
    """Return each row's key, weight, positives and ``<name>_loss`` (row total) of every model.

    ``probability``: the candidate's, which has not seen the rows.
    """
    entity = usecase.loop.spec.gate.entity
    columns = ["prediction_id", "event_time", entity, "weight", "positives"]
    scored = rows[list(dict.fromkeys(columns))].copy()
    for name, path in models.items():
        probability = fit.predict(usecase, model_file.load(path), rows)
        if name == "candidate":
            scored["probability"] = probability
        scored[f"{name}_loss"] = loss.log_loss(probability, rows["positives"], rows["weight"])
    return scored


def metrics(scored: pd.DataFrame) -> dict[str, float]:
    """Return each model's log loss per impression, and that of the rows' own base rate."""
    impressions = scored["weight"].sum()
    names = [column for column in scored if str(column).endswith("_loss")]
    per_model = {str(name): float(scored[name].sum() / impressions) for name in names}
    return per_model | {"base_entropy": loss.base_entropy(scored["positives"], scored["weight"])}
