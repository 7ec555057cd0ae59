"""Dropping: whether the model that never had some columns is as good on the held-out rows.

Permutation says what a fitted model makes of a column, fitting without it what the model needs
it for (Hooker, Mentch and Zhou, 2021). The column is set to one value instead of taken out, so
that any estimator's recipe stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.development.importance import CONFIDENCE, RESAMPLES, Predict
from driftloop.evaluation import difference, loss
from driftloop.evaluation.difference import Interval

Fit = Callable[[pd.DataFrame], Predict]
"""Fit the recipe on labelled rows and return how it predicts."""


@dataclass(frozen=True)
class Dropped:
    """By how much, relative, the loss of a fit without ``columns`` exceeds that of one with."""

    columns: tuple[str, ...]
    rise: Interval

    def to_data(self) -> dict[str, Any]:
        """Return the check, ready for JSON."""
        rise = [round(one, 6) for one in self.rise]
        return {"columns": list(self.columns), "rise": rise}


def checked(
    early: pd.DataFrame,
    late: pd.DataFrame,
    groups: Sequence[tuple[str, ...]],
    entity: str,
    fit: Fit,
    rng: np.random.Generator,
) -> list[Dropped]:
    """Return what each group is missed for; both fits are on ``early`` and judged on ``late``."""
    if not groups:
        return []
    losses = {"whole": _losses(fit(early), late)}
    for names in groups:
        usual = {name: _usual(early[name]) for name in names}
        without = [frame.assign(**usual) for frame in (early, late)]
        losses[str(names)] = _losses(fit(without[0]), without[1])
    drawn = difference.resample(losses, late[entity], RESAMPLES, rng)
    rises = [drawn.relative(str(names), "whole").interval(CONFIDENCE) for names in groups]
    return [Dropped(names, rise) for names, rise in zip(groups, rises, strict=True)]


def _losses(predict: Predict, rows: pd.DataFrame) -> Any:
    return loss.log_loss(predict(rows), rows["positives"], rows["weight"])


def _usual(values: pd.Series[Any]) -> Any:
    """Return the value that says least: a number's median, a category's most frequent one."""
    known = values.dropna()
    if known.empty:
        return None
    if pd.api.types.is_numeric_dtype(known):
        return float(known.astype("float64").median())
    return known.mode().iloc[0]
