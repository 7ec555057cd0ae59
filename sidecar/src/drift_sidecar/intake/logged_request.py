"""Logged requests: instances as an inference batch that still lacks its predictions."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from drift_sidecar.intake.columns import Instances
from driftloop_contracts.inference import InferenceBatch, prediction_id

OVERHEAD = 2048
"""Bytes that a waiting half takes beside its values, roughly."""


@dataclass(frozen=True)
class LoggedResponse:
    """One number an instance, and when the model answered."""

    time: datetime
    predictions: list[float | None]

    @property
    def size(self) -> int:
        """Return the memory it takes, in bytes."""
        return OVERHEAD + _size([self.predictions])


def batch(
    instances: Instances, request_id: str, time: datetime, loop: str, bundle: str, pod: str
) -> InferenceBatch:
    """Return a request as the monitor takes it: no prediction, latency unknown (0), weight 1."""
    rows = instances.rows
    return InferenceBatch(
        loop=loop,
        bundle_version=bundle,
        pod_uid=pod,
        first_seq=0,
        event_time=time,
        latency_ms=0.0,
        prediction_ids=[prediction_id(request_id, index) for index in range(rows)],
        entity_keys=instances.entity_keys,
        features=instances.features,
        predictions=[None] * rows,  # type: ignore[list-item]  # null until the response comes
        weights=[1.0] * rows,
    )


def answered(request: InferenceBatch, response: LoggedResponse) -> InferenceBatch:
    """Return the request with its response's predictions and the time between the two."""
    milliseconds = (response.time - request.event_time).total_seconds() * 1000
    predictions: list[float] = response.predictions  # type: ignore[assignment]
    return replace(request, predictions=predictions, latency_ms=max(0.0, milliseconds))


def size(request: InferenceBatch) -> int:
    """Return the memory that a waiting request takes, in bytes, rather too much than too little."""
    columns: list[list[Any]] = [*request.features.values(), *request.entity_keys.values()]
    return OVERHEAD + _size([*columns, request.prediction_ids, request.weights])


def _size(columns: Iterable[list[Any]]) -> int:
    return sum(sys.getsizeof(column) + sum(map(sys.getsizeof, column)) for column in columns)
