"""V1: KServe's first protocol, ``{"instances": [...]}`` and ``{"predictions": [...]}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drift_sidecar.intake import choice, columns
from drift_sidecar.intake.columns import Instances, Layout
from driftloop_contracts.errors import InvalidInput


def instances(content: Mapping[str, Any], layout: Layout) -> Instances:
    """Return the request's instances, objects by name or lists and bare values by position.

    >>> instances({"instances": [{"x": 1}, {"x": 2}]}, Layout(("x",))).features
    {'x': [1, 2]}
    """
    rows = content.get("instances")
    if not isinstance(rows, list):
        raise InvalidInput("instances", columns.WHERE, "a list", rows)
    if rows and isinstance(rows[0], dict):
        return columns.from_objects(rows, layout)
    return columns.by_position(rows, layout)


def predictions(content: Mapping[str, Any], chosen: str) -> list[float | None]:
    """Return one number an instance; ``chosen``: which one where an instance has several.

    >>> predictions({"predictions": [0.1, [0.2]]}, ""), predictions({"predictions": [[1, 2]]}, "1")
    ([0.1, 0.2], [2.0])
    """
    rows = content.get("predictions")
    if not isinstance(rows, list):
        raise InvalidInput("predictions", choice.WHERE, "a list", rows)
    return [choice.number(row, chosen) for row in rows]
