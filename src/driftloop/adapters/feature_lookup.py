"""Feature lookup: the newest values of a feature service's views, each by its TTL, in one read.

Feast's own ``get_online_features`` asks the registry in every call and refuses a view while it is
being materialized (feast issue 6780); it does not apply a view's TTL. This reads the registry once,
asks the store for all views at once, and judges every row by the request's time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from feast import FeatureStore
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from feast.value_type import ValueType

from driftloop import instants
from driftloop.adapters import view_plan
from driftloop.adapters.feast_online.reading import Read, Row
from driftloop.adapters.view_plan import ViewPlan
from driftloop.features import status
from driftloop.features.found import Found, Values
from driftloop.features.status import Status

Columns = Mapping[str, Sequence[Any]]
SCALARS = {"double_val", "float_val", "int64_val", "int32_val", "string_val", "bool_val"}


class FeatureLookup:
    """Looks up the feature service ``service`` of ``store``, whose online store is the project's.

    The registry is read here and never again: a process serves one bundle, hence one service.
    """

    def __init__(self, store: FeatureStore, service: str) -> None:
        self._config, self._online = store.config, store._get_provider().online_store
        self._plans, self._on_demand = view_plan.plans(store, service)

    def at(self, rows: Columns, now: datetime) -> Found:
        """Return the features of each of ``rows`` as of ``now``.

        ``rows``: a list for each entity key and for what on-demand views need of a request.
        """
        size = len(next(iter(rows.values())))
        keys = self._keys(rows, size)
        reads = [
            Read(plan.view, plan.features, tuple(dict.fromkeys(own)))
            for plan, own in zip(self._plans, keys, strict=True)
        ]
        stored = self._online.read_views(self._config, reads)
        found, time = Found({}, {}, {}), instants.since_epoch(now)
        for plan, own, rows_there in zip(self._plans, keys, stored, strict=True):
            _judge(plan, own, rows_there, time, found)
        for view in self._on_demand:
            _compute(view, rows, found)
        return found

    def _keys(self, rows: Columns, size: int) -> list[list[bytes]]:
        """Return each view's serialized key of every row; views of the same keys share them."""
        version = self._config.entity_key_serialization_version
        known: dict[Any, list[bytes]] = {}
        for plan in self._plans:
            if plan.keys not in known:
                known[plan.keys] = _serialized(plan.keys, rows, size, version)
        return [known[plan.keys] for plan in self._plans]


def _serialized(
    keys: Sequence[tuple[str, str, ValueType]], rows: Columns, size: int, version: int
) -> list[bytes]:
    if not keys:
        everywhere = EntityKey(
            join_keys=[DUMMY_ENTITY_ID], entity_values=[Value(string_val=DUMMY_ENTITY_VAL)]
        )
        return [serialize_entity_key(everywhere, version)] * size
    names = [ours for ours, _, _ in keys]
    columns = [python_values_to_proto_values(rows[theirs], kind) for _, theirs, kind in keys]
    return [
        serialize_entity_key(EntityKey(join_keys=names, entity_values=values), version)
        for values in zip(*columns, strict=True)
    ]


def _judge(
    plan: ViewPlan, keys: list[bytes], stored: dict[bytes, Row], now: int, found: Found
) -> None:
    """Add what a view holds for every row, as far as it may be used, to ``found``."""
    none = (None, status.of(None, now, plan.ttl), [None] * len(plan.features))
    judged = {key: _judged(plan, row, now) for key, row in stored.items()}
    rows = [judged.get(key, none) for key in keys]
    found.times[plan.name] = [time for time, _, _ in rows]
    found.statuses[plan.name] = [one for _, one, _ in rows]
    for number, name in enumerate(plan.features):
        found.values[name] = [values[number] for _, _, values in rows]


def _judged(plan: ViewPlan, row: Row, now: int) -> tuple[int | None, Status, list[Any]]:
    found = status.of(row.event, now, plan.ttl)
    if found is not Status.PRESENT:
        return None, found, [None] * len(plan.features)
    return row.event, found, [_python(row.values.get(name)) for name in plan.features]


def _python(content: bytes | None) -> Any:
    if not content:
        return None
    value = Value.FromString(content)
    kind = value.WhichOneof("val")
    return getattr(value, kind) if kind in SCALARS else feast_value_type_to_python_type(value)


def _compute(view: Any, rows: Columns, found: Found) -> None:
    """Add an on-demand view's features; it is there where all views that it reads are."""
    inputs = pa.table(
        {**{name: pa.array(column) for name, column in rows.items()}, **_arrays(found)}
    )
    result = view.transform_arrow(inputs)
    for feature in view.projection.features:
        found.values[feature.name] = result[feature.name].to_pylist()
    sources = [p.name_to_use() for p in view.source_feature_view_projections.values()]
    every = zip(*(found.statuses[name] for name in sources), strict=True)
    worst = [next((s for s in one if s is not Status.PRESENT), Status.PRESENT) for one in every]
    name = view.projection.name_to_use()
    found.statuses[name] = worst or [Status.PRESENT] * inputs.num_rows
    found.times[name] = [None] * inputs.num_rows


def _arrays(found: Found) -> Values:
    return {name: pa.array(values) for name, values in found.values.items()}
