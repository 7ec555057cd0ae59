"""Estimators: hashed texts with the requester's habits. Where a request came in is no input."""

from collections.abc import Callable
from typing import Any

from driftloop.loop import LearningLoop
from driftloop.training.text import HashedText


def estimators() -> dict[str, Callable[[LearningLoop], Any]]:
    """Return the estimators that loop.yaml may name."""
    return {"hashed_text": hashed_text}


def hashed_text(loop: LearningLoop) -> HashedText:
    """Return the stock estimator on texts and numbers.

    Departments write to some sources more than to others, as they happen to be used today; a model
    that leans on that would fail the day a source is moved.
    """
    names = loop.spec.features.names
    return HashedText(tuple(names("text")), (), tuple(names("numeric")))
