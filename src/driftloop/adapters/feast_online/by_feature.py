"""Tables with a row for each feature of an entity, as Feast's SQLite and Postgres stores have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from feast import FeatureView, RepoConfig
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.Value_pb2 import Value

from driftloop import instants
from driftloop.adapters.feast_online import reading
from driftloop.adapters.feast_online.reading import Read, Row
from driftloop.adapters.feast_online.reading import Written as Given

Written = tuple[bytes, str, bytes, int, int]
"""A value as a table has it: key, feature, bytes, event and created time in microseconds."""


class RowPerFeature(ABC):
    """What both stores do alike; ``upsert`` and ``read_views`` are their own."""

    @abstractmethod
    def upsert(self, config: RepoConfig, view: FeatureView, rows: list[Written]) -> None:
        """Write the rows that are newer than what is there, all of them or none."""

    @abstractmethod
    def read_views(self, config: RepoConfig, reads: Sequence[Read]) -> list[dict[bytes, Row]]:
        """Return the stored row of each key that there is, for every one of ``reads``."""

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[Given],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write the rows that are newer than what is there, all of them or none."""
        self.upsert(config, table, list(_written(config, data)))
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[Any],
        requested_features: list[str] | None = None,
    ) -> list[Any]:
        """Return each entity's event time and values, as Feast's interface has it."""
        names = tuple(requested_features or [feature.name for feature in table.features])
        version = config.entity_key_serialization_version
        keys = tuple(serialize_entity_key(key, version) for key in entity_keys)
        (stored,) = self.read_views(config, [Read(table, names, keys)])
        return [_to_feast(stored.get(key)) for key in keys]


def _written(config: RepoConfig, data: Iterable[Given]) -> Iterator[Written]:
    for entity_key, values, event, created in data:
        key = serialize_entity_key(entity_key, config.entity_key_serialization_version)
        event_time = instants.since_epoch(event)
        created_time = instants.since_epoch(reading.known(created, event))
        for name, value in values.items():
            yield key, name, value.SerializeToString(), event_time, created_time


def rows(found: Iterable[tuple[bytes, str, bytes, int]]) -> dict[bytes, Row]:
    """Return each entity's row of (key, feature, bytes, event time).

    A feature that the newest row did not bring is one of an older row, and so not of this one.
    """
    features: dict[bytes, list[tuple[str, bytes, int]]] = defaultdict(list)
    for key, feature, content, event in found:
        features[key].append((feature, content, event))
    result = {}
    for key, stored in features.items():
        newest = max(event for _, _, event in stored)
        result[key] = Row(newest, {name: v for name, v, event in stored if event == newest})
    return result


def _to_feast(row: Row | None) -> tuple[datetime | None, dict[str, Value] | None]:
    """Return a row as Feast's ``online_read`` does."""
    if row is None:
        return None, None
    return instants.moment(row.event), {name: Value.FromString(v) for name, v in row.values.items()}
