from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from driftloop.services.predictor.record import to_stream


def rows_of(content: bytes) -> list[dict]:
    return pa.ipc.open_stream(content).read_all().to_pylist()


def test_records_of_many_requests_are_one_stream(given) -> None:
    records = [given.record(5, rows=2), given.record(9).weighing(3.0)]
    rows = rows_of(to_stream(records, given.origin))
    assert [row["seq"] for row in rows] == [5, 6, 9]
    assert [row["weight"] for row in rows] == [1.0, 1.0, 3.0]
    assert rows[2] == {
        "loop": "ads-ctr",
        "bundle_version": "0001-a",
        "pod_uid": "pod-1",
        "seq": 9,
        "event_time": given.record().event_time,
        "prediction_id": "id-9",
        "prediction": 0.25,
        "weight": 3.0,
        "latency_ms": 1.5,
        "stands_for": 3.0,
        "entity_keys": {"ad_id": 0},
        "features": {"relevance": 0.5, "device": "mobile"},
        "feature_times": {"stats": None},
    }


def test_what_is_missing_is_null_and_a_category_is_text(given) -> None:
    features = {
        "relevance": np.array([np.nan, np.inf, -np.inf, 1.0]),
        "device": np.array([None, 3, 4.0, "a"], dtype=object),
    }
    record = given.record(rows=4, features=features, predictions=[0.1, float("nan"), 0.3, 0.4])
    rows = rows_of(to_stream([record], given.origin))
    assert [row["features"]["relevance"] for row in rows] == [None, None, None, 1.0]
    assert [row["features"]["device"] for row in rows] == [None, "3", "4", "a"]
    assert [row["prediction"] for row in rows] == [0.1, None, 0.3, 0.4]


def test_threads_that_answer_requests_go_first_between_columns(given) -> None:
    breaths: list[float] = []
    to_stream([given.record()], given.origin, breaths.append)
    assert breaths == [0] * 3


def test_half_a_character_fits_no_stream(given) -> None:
    features = {"relevance": np.zeros(1), "device": np.array(["\ud800"], dtype=object)}
    with pytest.raises(ValueError, match="surrogates"):
        to_stream([given.record(features=features)], given.origin)


def test_the_size_is_about_what_memory_says(given) -> None:
    """The bound on bytes is worth something only if a record is not larger than it says."""
    import tracemalloc

    columns = {f"f{n}": np.zeros(1) for n in range(20)}
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    records = [
        given.record(n, features={name: values.copy() for name, values in columns.items()})
        for n in range(1000)
    ]
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert 0.5 < sum(record.size for record in records) / grown < 2
