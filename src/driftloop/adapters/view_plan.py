"""View plans: what a feature service reads of the online store, found once in the registry."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feast import FeatureStore
from feast.feature_view import DUMMY_ENTITY_ID
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.value_type import ValueType

from driftloop import instants


@dataclass(frozen=True)
class ViewPlan:
    """One view of the service: which columns of a request are its keys, what is read, its TTL."""

    name: str
    view: Any
    keys: tuple[tuple[str, str, ValueType], ...]
    features: tuple[str, ...]
    ttl: int


def plans(store: FeatureStore, service: str) -> tuple[list[ViewPlan], list[OnDemandFeatureView]]:
    """Return what is read for the service's views, and those that are computed of it."""
    views = _views(store, service)
    projections: dict[str, list[Any]] = {}
    for view in views:
        for projection in _sources(view):
            projections.setdefault(projection.name_to_use(), []).append(projection)
    read = [_plan(store, same) for same in projections.values()]
    return read, [view for view in views if isinstance(view, OnDemandFeatureView)]


def _views(store: FeatureStore, service: str) -> list[Any]:
    """Return the service's views as it projects them, whatever state the registry has them in."""
    return [
        store.registry.get_any_feature_view(projection.name, store.project).with_projection(
            copy.copy(projection)
        )
        for projection in store.get_feature_service(service).feature_view_projections
    ]


def _sources(view: Any) -> list[Any]:
    """Return the projections that are read of the store for ``view``."""
    if isinstance(view, OnDemandFeatureView):
        return list(view.source_feature_view_projections.values())
    return [view.projection]


def _plan(store: FeatureStore, projections: Sequence[Any]) -> ViewPlan:
    """Return what is read of one view for all ``projections`` of it under one name."""
    first = projections[0]
    view = store.registry.get_any_feature_view(first.name, store.project)
    mapped = first.join_key_map
    keys = tuple(
        (column.name, mapped.get(column.name, column.name), column.dtype.to_value_type())
        for column in view.entity_columns
        if column.name != DUMMY_ENTITY_ID
    )
    names = (feature.name for projection in projections for feature in projection.features)
    ttl = instants.length(view.ttl) if view.ttl else 0
    return ViewPlan(first.name_to_use(), view, keys, tuple(dict.fromkeys(names)), ttl)
