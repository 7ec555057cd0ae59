import io

import pyarrow.parquet as pq
import pytest

from drift_sidecar import records
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import from_data

KINDS = {"relevance": "numeric", "device": "categorical"}


def read(content):
    return pq.read_table(io.BytesIO(content))


@pytest.fixture
def taken(given):
    """Return a function: changes to an event's data -> its records."""
    return lambda seq=0, **changes: records.from_batch(
        from_data(given.batch(3, 0, seq, **changes).data), KINDS
    )


def test_a_record_has_every_column_and_every_value(taken, given):
    table = read(records.to_parquet([taken(seq=7)]))
    row = table.to_pylist()[1]
    assert set(row) == {*records.OWN_COLUMNS, "ad_id", *KINDS}
    assert (row["seq"], row["pod_uid"], row["ad_id"]) == (8, "pod-1", 1)
    assert (row["event_time"], row["prediction"], row["weight"]) == (given.at(0), 0.25, 1.0)


def test_missing_values_are_null(taken):
    features = {"relevance": [None, float("nan"), 1], "device": [None, "a", 3.0]}
    table = read(records.to_parquet([taken(features=features)]))
    assert table["relevance"].to_pylist() == [None, None, 1.0]
    assert table["device"].to_pylist() == [None, "a", "3"]


def test_the_times_of_looked_up_features_are_instants(taken, given):
    found = taken(feature_times={"stats": [0, None, 1_000_000]})
    stored = read(records.to_parquet([found]))["stats__event_timestamp"].to_pylist()
    assert stored[1] is None
    assert (stored[2] - stored[0]).total_seconds() == 1


def test_keys_of_two_kinds_become_text(taken):
    batches = [taken(entity_keys={"ad_id": keys}) for keys in ([1, 2, 3], ["a", "b", None])]
    table = read(records.to_parquet(batches))
    assert table["ad_id"].to_pylist() == ["1", "2", "3", "a", "b", None]


def test_keys_that_some_batches_lack_are_null(taken):
    table = read(records.to_parquet([taken(), taken(entity_keys={})]))
    assert table["ad_id"].to_pylist() == [0, 1, 2, None, None, None]


def test_a_key_that_is_also_a_feature_is_one_column(taken):
    found = taken(entity_keys={"device": ["x", "y", "z"]})
    assert found.schema.names.count("device") == 1


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"features": {"relevance": [1, 2, 3]}}, id="feature absent"),
        pytest.param({"predictions": ["0.1", 1, 2]}, id="text for a number"),
        pytest.param({"feature_times": {"stats": ["noon", 1, 2]}}, id="text for a time"),
        pytest.param({"feature_times": {"stats": [2**70, 1, 2]}}, id="beyond all times"),
        pytest.param({"predictions": [float("inf"), 1, 2]}, id="infinite"),
        pytest.param({"predictions": [10**400, 1, 2]}, id="beyond a float"),
        pytest.param({"weights": [-1, 1, 1]}, id="negative weight"),
        pytest.param({"weights": [None, 1, 1]}, id="no weight"),
        pytest.param({"weights": [1e300, 1, 1]}, id="huge weight"),
        pytest.param({"latency_ms": float("nan")}, id="latency"),
        pytest.param({"prediction_ids": [1, 2, 3]}, id="ids as numbers"),
        pytest.param({"prediction_ids": ["\ud800", "b", "c"]}, id="half a character"),
        pytest.param({"entity_keys": {"ad_id": [[1], [2], [3]]}}, id="keys as lists"),
        pytest.param({"entity_keys": {"ad_id": [2**70, 2, 3]}}, id="key beyond int64"),
        pytest.param({"entity_keys": {"weight": [1, 2, 3]}}, id="key named as an own column"),
        pytest.param({"first_seq": -1}, id="negative seq"),
        pytest.param({"first_seq": 2**80}, id="huge seq"),
    ],
)
def test_what_no_column_can_hold_is_refused_with_a_sentence(taken, changes):
    with pytest.raises(InvalidInput, match=r"in an inference batch must be"):
        taken(**changes)


def test_an_unknown_feature_is_refused(taken):
    features = {"relevance": [1, 2, 3], "device": ["a"] * 3, "colour": ["r"] * 3}
    with pytest.raises(InvalidInput, match="colour"):
        taken(features=features)
