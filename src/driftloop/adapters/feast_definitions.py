"""Feast definitions: what ``feast_objects`` must define for loop.yaml's columns to be found."""

from __future__ import annotations

from typing import Any

from driftloop.spec.features import Features
from driftloop_contracts.errors import InvalidInput


def require(objects: list[Any], features: Features, where: str) -> list[Any]:
    """Return ``objects``; raise InvalidInput for a view, service or feature that is not defined.

    ``where``: the file that defines them.
    """
    from feast import FeatureService, FeatureView

    views = {one.name for one in objects if isinstance(one, FeatureView)}
    services = {one.name: one for one in objects if isinstance(one, FeatureService)}
    for view in features.views:
        _require(f"feature view '{view}'", view in views, where, sorted(views))
    service = services.get(features.service)
    _require(f"feature service '{features.service}'", service is not None, where, sorted(services))
    given = {
        (part.name, field.name)
        for part in (service.feature_view_projections if service else ())
        for field in part.features
    }
    for column in features.columns:
        if column.origin != "request":
            known = (column.origin, column.name) in given
            names = sorted(name for view, name in given if view == column.origin)
            _require(f"feature '{column.name}' of view '{column.origin}'", known, where, names)
    return objects


def _require(what: str, is_defined: bool, where: str, got: list[str]) -> None:
    if not is_defined:
        raise InvalidInput(what, where, "defined by feast_objects(), as loop.yaml names it", got)
