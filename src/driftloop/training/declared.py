"""Declared: what of a loop's declaration a model came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftloop.loop import LearningLoop


def facts(loop: LearningLoop) -> dict[str, Any]:
    """Return the objective with its label, metric and classes, the columns and the estimators."""
    spec = loop.spec
    classes = {"classes": list(spec.objective.classes)} if spec.objective.classes else {}
    return classes | {
        "objective": spec.objective.name,
        "label": spec.objective.label,
        "metric": spec.objective.metric,
        "columns": spec.features.names(),
        "estimators": list(spec.training.estimators),
    }


def differs(known: Mapping[str, Any], loop: LearningLoop) -> bool:
    """Return whether a bundle with the facts ``known`` came from another declaration.

    What its manifest does not say (it did not before 0.2) is taken for the same.
    """
    return any(known[name] != value for name, value in facts(loop).items() if name in known)
