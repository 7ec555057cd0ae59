"""Inference records: what was asked, what was served, when, and by which bundle.

A batch is columnar: one list per column, all of one length. A missing number is None.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

MAX_ROWS = 100_000
"""Most rows one batch may carry; more is refused, so memory stays bounded."""
MAX_WEIGHT = 1e12
"""Largest sampling weight of one row; sums of them stay finite."""

STANDS_FOR = "stands_for"
"""The log's column that says how many rows like it a row stands for, because others were dropped.

Its weight counts them already; an outcome's value does not.
"""

CATEGORY = "category"
"""The column of an outcome that says which of a loop's classes it is, hence of labelled rows."""

CHOSEN = "predicted_class"
"""The feature of a record that says which class was answered; ``prediction`` is its probability."""

PROPENSITY = "propensity"
"""The feature of a record that says with which probability its caller chose what it asked about.

With ``_<alternative>`` after it, that with which another objective's policy would have chosen it.
"""
LEAST_PROPENSITY = 1e-6
"""Of what was chosen: a smaller one would let a single row outweigh a whole period."""

LOOKED_UP = "__event_timestamp"
"""How the log's column ends that has the event time of what was looked up in a feature view."""


def prediction_id(request_id: str, index: int) -> str:
    """Return the id of the ``index``-th instance of a request, the key outcomes join on.

    >>> prediction_id("2012-04-01/0", 0)
    '8f628e8e72e15b74'
    """
    return hashlib.blake2b(f"{request_id}#{index}".encode(), digest_size=8).hexdigest()


def is_propensity(name: str) -> bool:
    """Return whether a column of that name says how probable a choice was.

    >>> [is_propensity(name) for name in ("propensity", "propensity_clicks", "propensities")]
    [True, True, False]
    """
    return name == PROPENSITY or name.startswith(f"{PROPENSITY}_")


@dataclass(frozen=True)
class InferenceBatch:
    """Records of one request: (pod_uid, first_seq ...) makes every lost record countable.

    ``features`` holds the values that were served, request-time ones included, and
    ``feature_times`` the event time of what was looked up in each feature view, in microseconds
    since 1970 (None where the view had nothing that could be used);
    ``weights`` the sampling weights (1.0 when nothing was sampled);
    ``latency_ms`` is the request's, in milliseconds.
    """

    loop: str
    bundle_version: str
    pod_uid: str
    first_seq: int
    event_time: datetime
    latency_ms: float
    prediction_ids: list[str]
    entity_keys: dict[str, list[Any]]
    features: dict[str, list[Any]]
    predictions: list[float]
    weights: list[float]
    feature_times: dict[str, list[int | None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.prediction_ids)

    def to_data(self) -> dict[str, Any]:
        """Return the batch as an event's JSON data."""
        return asdict(self) | {"event_time": times.to_text(self.event_time)}


def from_data(data: Mapping[str, Any]) -> InferenceBatch:
    """Return the batch in an event's data; raise InvalidInput when it is not one."""
    where = "an inference batch"
    names = {known.name for known in fields(InferenceBatch)}
    data = {"feature_times": {}, **data}
    for name in sorted(names ^ set(data)):
        allowed = "present" if name in names else "absent: no such field"
        raise InvalidInput(name, where, allowed, data.get(name))
    for name, kind in _KINDS.items():
        if not isinstance(data[name], kind) or isinstance(data[name], bool):
            raise InvalidInput(name, where, f"of type {kind.__name__}", data[name])
    rows = len(data["prediction_ids"])
    if rows > MAX_ROWS:
        raise InvalidInput("prediction_ids", where, f"at most {MAX_ROWS} rows", rows)
    columns = [("predictions", data["predictions"]), ("weights", data["weights"])]
    mappings = [data[name] for name in ("entity_keys", "features", "feature_times")]
    for name, column in (*columns, *(pair for mapping in mappings for pair in mapping.items())):
        if not isinstance(column, list) or len(column) != rows:
            got = len(column) if isinstance(column, list) else column
            raise InvalidInput(f"column '{name}'", where, f"a list of {rows} values", got)
    time = times.from_text(data["event_time"], "event_time", where)
    latency = _milliseconds(data["latency_ms"], where)
    return InferenceBatch(**{**data, "event_time": time, "latency_ms": latency})


def _milliseconds(value: object, where: str) -> float:
    # JSON may write 1e999, which Python reads as infinity.
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
        return float(value)
    raise InvalidInput("latency_ms", where, "a finite number of milliseconds", value)


_KINDS: dict[str, type] = {
    "loop": str,
    "bundle_version": str,
    "pod_uid": str,
    "first_seq": int,
    "prediction_ids": list,
    "entity_keys": dict,
    "features": dict,
    "predictions": list,
    "weights": list,
    "feature_times": dict,
}
