"""Inference batches: read back as written; one that does not fit together is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from driftloop_contracts import inference
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import InferenceBatch


def batch(**changed: Any) -> dict[str, Any]:
    whole = InferenceBatch(
        loop="ads-ctr",
        bundle_version="1-abc",
        pod_uid="p",
        first_seq=0,
        event_time=datetime(2026, 1, 1, tzinfo=UTC),
        latency_ms=1.5,
        prediction_ids=["a", "b"],
        entity_keys={"query_id": ["q", "r"]},
        features={"position": [1.0, None]},
        predictions=[0.1, 0.2],
        weights=[1.0, 1.0],
    )
    return whole.to_data() | changed


def test_a_batch_survives_json() -> None:
    data = json.loads(json.dumps(batch()))
    read = inference.from_data(data)
    assert read.to_data() == data
    assert len(read) == 2


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"loop": 7}, "loop"),
        ({"first_seq": True}, "first_seq"),
        ({"latency_ms": float("inf")}, "latency_ms"),
        ({"latency_ms": 10**400}, "latency_ms"),
        ({"latency_ms": "fast"}, "latency_ms"),
        ({"latency_ms": True}, "latency_ms"),
        ({"predictions": [0.1]}, "predictions"),
        ({"weights": None}, "weights"),
        ({"features": {"position": [1.0]}}, "position"),
        ({"entity_keys": {"query_id": 3}}, "query_id"),
        ({"features": {"predictions": [0.1, 0.2]}, "predictions": [0.1]}, "predictions"),
        ({"event_time": "now"}, "event_time"),
        ({"more": 1}, "more"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        inference.from_data(batch(**changed))


def test_a_missing_field_is_named() -> None:
    data = batch()
    del data["pod_uid"]
    with pytest.raises(InvalidInput, match="pod_uid"):
        inference.from_data(data)


def test_too_many_rows_are_refused() -> None:
    ids = ["x"] * (inference.MAX_ROWS + 1)
    with pytest.raises(InvalidInput, match="at most"):
        inference.from_data(batch(prediction_ids=ids))
