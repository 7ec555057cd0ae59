"""Record: what one request leaves behind, and many of them as one Arrow stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from driftloop.instants import since_epoch
from driftloop_contracts import inference_arrow
from driftloop_contracts.category import text
from driftloop_contracts.inference import MAX_WEIGHT

Array = np.ndarray[Any, np.dtype[Any]]
INSTANT = pa.timestamp("us", "UTC")
OVERHEAD = 1500
"""Bytes that a record holds beside its values, about."""
CELL = 112
"""Bytes that numpy's header of an array takes."""


@dataclass(frozen=True)
class Origin:
    """What all records of a predictor share; ``kinds``: of each feature."""

    loop: str
    bundle_version: str
    pod_uid: str
    kinds: Mapping[str, str]


@dataclass(frozen=True)
class Record:
    """The rows of one request, as the arrays that were served.

    ``times``: by feature view, the event times of what was looked up, in microseconds;
    ``factor``: what the sampling weights are multiplied by, because other rows were dropped.
    """

    first_seq: int
    event_time: datetime
    latency_ms: float
    ids: list[str]
    keys: Mapping[str, Array]
    features: Mapping[str, Array]
    times: Mapping[str, list[int | None]]
    predictions: list[float]
    weights: Array
    factor: float = 1.0

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> Array:
        """Return an entity's keys or a feature's values."""
        return self.keys[name] if name in self.keys else self.features[name]

    @property
    def weight(self) -> float:
        """Return the sum of the rows' own sampling weights."""
        return float(self.weights.sum())

    @property
    def size(self) -> int:
        """Return about how many bytes the record holds in memory."""
        columns = [*self.keys.values(), *self.features.values()]
        texts = sum(_length(column) for column in columns if column.dtype == object)
        values = sum(column.nbytes + CELL for column in columns)
        return OVERHEAD + values + texts + len(self.ids) * (150 + 40 * len(self.times))

    def weighing(self, factor: float) -> Record:
        """Return the record with every weight ``factor`` times its own."""
        return replace(self, factor=factor)


def to_stream(
    records: Sequence[Record], origin: Origin, breathe: Callable[[float], object] = time.sleep
) -> bytes:
    """Return the records as one stream; raise ValueError or ArrowException for what none holds.

    ``breathe(0)`` is called between columns: it lets threads that answer requests go first.
    """
    columns = _own(records, origin)
    breathe(0)
    groups: dict[str, dict[str, pa.Array]] = {name: {} for name in inference_arrow.GROUPS}
    for name in records[0].keys:
        groups[inference_arrow.ENTITY_KEYS][name] = pa.array(
            _joined([r.keys[name] for r in records])
        )
    for name, kind in origin.kinds.items():
        values = _joined([record.features[name] for record in records])
        groups[inference_arrow.FEATURES][name] = (
            _numbers(values) if kind == "numeric" else _texts(values)
        )
        breathe(0)
    for view in records[0].times:
        instants = list(chain.from_iterable(record.times[view] for record in records))
        groups[inference_arrow.FEATURE_TIMES][view] = pa.array(instants, INSTANT)
    return inference_arrow.to_stream(columns, groups)


def _own(records: Sequence[Record], origin: Origin) -> dict[str, pa.Array]:
    sizes = [len(record) for record in records]
    rows = sum(sizes)
    seqs = [np.arange(r.first_seq, r.first_seq + len(r), dtype=np.int64) for r in records]
    weights = _joined([np.minimum(r.weights * r.factor, MAX_WEIGHT) for r in records])
    instants = np.repeat([since_epoch(record.event_time) for record in records], sizes)
    factors = np.repeat([min(record.factor, MAX_WEIGHT) for record in records], sizes)
    return {
        "loop": pa.repeat(origin.loop, rows),
        "bundle_version": pa.repeat(origin.bundle_version, rows),
        "pod_uid": pa.repeat(origin.pod_uid, rows),
        "seq": pa.array(_joined(seqs)),
        "event_time": pa.array(instants, pa.int64()).cast(INSTANT),
        "prediction_id": pa.array(list(chain.from_iterable(r.ids for r in records)), pa.string()),
        "prediction": _numbers(np.array(list(chain.from_iterable(r.predictions for r in records)))),
        "weight": pa.array(weights),
        "latency_ms": pa.array(np.repeat([record.latency_ms for record in records], sizes)),
        "stands_for": pa.array(factors),
    }


def _joined(arrays: list[Array]) -> Array:
    return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]


def _numbers(values: Array) -> pa.Array:
    # The contract has no infinity: it counts as missing, as it does in training.
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))


def _texts(values: Array) -> pa.Array:
    try:
        return pa.array(values, pa.string(), from_pandas=True)
    except (pa.ArrowTypeError, pa.ArrowInvalid):  # Some are numbers.
        return pa.array([None if v is None or v != v else text(v) for v in values], pa.string())


def _length(values: Array) -> int:
    return sum(len(value) + 56 for value in values if isinstance(value, str))
