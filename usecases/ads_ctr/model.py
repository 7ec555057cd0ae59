"""Estimators: a calibrated linear model and gradient boosting on the same columns."""

from collections.abc import Callable
from typing import Any

from driftloop.loop import LearningLoop
from driftloop.training import stock


def estimators() -> dict[str, Callable[[LearningLoop], Any]]:
    """Return the estimators that loop.yaml may name."""
    return {"linear": stock.linear, "logistic": stock.logistic, "gradient_boosting": stock.gradient_boosting}
