"""What becomes of received events on a cluster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftloop.services.controller import cluster_loop
from driftloop.services.controller.cluster import Cluster

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Objects:
    """Keeps what was deleted; anything else would be a mistake here."""

    def __init__(self) -> None:
        self.deleted: list[tuple[str, str, str]] = []

    def delete(self, *named: str) -> None:
        self.deleted.append(named)


@pytest.mark.parametrize(
    ("age", "deleted"),
    [
        (cluster_loop.KEPT, []),
        (cluster_loop.KEPT + timedelta(seconds=1), [("LoopEvent", "ads", "one")]),
    ],
)
def test_a_taken_event_is_kept_longer_than_one_could_be_replayed(
    age: timedelta, deleted: list[Any]
) -> None:
    objects: Any = Objects()
    created = (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"name": "one", "namespace": "ads", "creationTimestamp": created}
    event = {"metadata": metadata, "status": {"taken": True}}
    cluster_loop.take(Cluster(objects, None, None, None), event, NOW)
    assert objects.deleted == deleted
