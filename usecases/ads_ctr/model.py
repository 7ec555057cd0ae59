"""Estimators on the same columns: linear, gradient boosting, and linear on hashed categories."""

from collections.abc import Callable
from typing import Any

from driftloop.loop import LearningLoop
from driftloop.training import hashed, stock


def estimators() -> dict[str, Callable[[LearningLoop], Any]]:
    """Return the estimators that loop.yaml may name."""
    return {
        "linear": stock.linear,
        "logistic": stock.logistic,
        "gradient_boosting": stock.gradient_boosting,
        "hashed_linear": hashed.hashed_linear,
    }


def search_spaces() -> dict[str, dict[str, list[Any]]]:
    """Return what a search may try, where loop.yaml has ``training.search``."""
    return {
        "logistic": {"model__estimator__C": [0.01, 0.1, 1.0, 10.0]},
        "gradient_boosting": {
            "model__learning_rate": [0.05, 0.1, 0.2],
            "model__max_leaf_nodes": [7, 15, 31],
            "model__l2_regularization": [0.0, 1.0, 10.0],
        },
    }
