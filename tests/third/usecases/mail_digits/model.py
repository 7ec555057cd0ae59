"""Estimators: the two that suit most tables; add your own, of stock scikit-learn parts."""

from collections.abc import Callable
from typing import Any

from driftloop.loop import LearningLoop
from driftloop.training import stock


def estimators() -> dict[str, Callable[[LearningLoop], Any]]:
    """Return the estimators that loop.yaml may name."""
    return {"logistic": stock.logistic, "gradient_boosting": stock.gradient_boosting}
