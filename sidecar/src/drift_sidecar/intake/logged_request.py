"""Logged requests: checked records that still lack their predictions.

They are converted when they come, so that nothing is found wrong with them later, and wait as
Arrow's messages: a record batch of one row takes tens of kilobytes, its message three.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from drift_sidecar import grid, records
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
        column = self.predictions
        return OVERHEAD + sys.getsizeof(column) + sum(map(sys.getsizeof, column))


@dataclass(frozen=True)
class LoggedRequest:
    """The records of one request as a message, with the schema that many share."""

    time: datetime
    rows: int
    schema: pa.Schema
    message: pa.Buffer
    first_seq: int = 0

    @property
    def size(self) -> int:
        """Return the memory it takes, in bytes, rather too much than too little."""
        return int(OVERHEAD + self.message.size)

    def parts(self, response: LoggedResponse | None = None) -> list[tuple[pa.RecordBatch, int]]:
        """Return what the monitor takes, with the response's predictions and its latency."""
        if not self.rows:
            return []
        numbers = np.arange(self.first_seq, self.first_seq + self.rows)
        changed = {"seq": pa.array(numbers)}
        if response is not None:
            changed["prediction"] = pa.array(response.predictions, pa.float64())
            changed["latency_ms"] = pa.repeat(self._milliseconds(response), self.rows)
        rows = pa.ipc.read_record_batch(self.message, self.schema)
        for name, column in changed.items():
            place = self.schema.get_field_index(name)
            rows = rows.set_column(place, self.schema.field(place), column)
        return [(rows, grid.seconds(self.time))]

    def _milliseconds(self, response: LoggedResponse) -> float:
        """Return the time between the two; a clock that was set back makes it 0."""
        return max(0.0, (response.time - self.time).total_seconds() * 1000)


class Reader:
    """Makes logged requests of instances; ``pod``: names the process's records in the log."""

    def __init__(self, loop: str, bundle: str, pod: str, kinds: Mapping[str, str]) -> None:
        self._origin, self._kinds = {"loop": loop, "bundle_version": bundle, "pod_uid": pod}, kinds
        self._schema = pa.schema([])

    def request(self, instances: Instances, request_id: str, time: datetime) -> LoggedRequest:
        """Return a request as it waits: latency unknown (0), weight 1, numbered from 0 on.

        Raise InvalidInput for an instant or a value that no record can hold.
        """
        grid.seconds(time)
        batch = _batch(instances, request_id, time, self._origin)
        rows = records.from_batch(batch, self._kinds)
        if not rows.schema.equals(self._schema):  # entity keys may be numbers here, text there
            self._schema = rows.schema
        return LoggedRequest(time, rows.num_rows, self._schema, rows.serialize())


def _batch(
    instances: Instances, request_id: str, time: datetime, origin: Mapping[str, Any]
) -> InferenceBatch:
    rows = instances.rows
    return InferenceBatch(
        **origin,
        first_seq=0,
        event_time=time,
        latency_ms=0.0,
        prediction_ids=[prediction_id(request_id, index) for index in range(rows)],
        entity_keys=instances.entity_keys,
        features=instances.features,
        predictions=[None] * rows,  # type: ignore[list-item]  # null until the response comes
        weights=[1.0] * rows,
    )
