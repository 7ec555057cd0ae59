import numpy as np
import pyarrow as pa
import pytest

from drift_sidecar.batches import LARGE, RUN, gathered
from drift_sidecar.sample import Sample


def rows(first, count=1, kind=None):
    numbers = pa.array(range(first, first + count), kind or pa.float64())
    return pa.RecordBatch.from_pydict({"x": numbers, "weight": numbers, "prediction": numbers})


def test_single_rows_are_held_in_a_bounded_number_of_batches():
    sample, rng = Sample(100_000), np.random.default_rng(1)
    most = 0
    for number in range(5000):
        sample.add(rows(number), rng)
        most = max(most, len(sample._batches))
    assert most <= RUN
    assert sample.table()["x"].to_pylist() == list(range(5000))


def test_every_row_keeps_the_key_it_drew():
    sample, plain = Sample(500), []
    rng, same = np.random.default_rng(1), np.random.default_rng(1)
    for number in range(2000):
        sample.add(rows(number), rng)
        plain.append(same.random(1)[0])
    drawn = dict(enumerate(plain))
    kept = sample.table()["x"].to_pylist()
    assert sorted(kept) == sorted(sorted(drawn, key=drawn.get)[:500])


@pytest.mark.parametrize(
    "last", [rows(0, count=RUN * LARGE), rows(0, kind=pa.int64())], ids=["large", "unlike"]
)
def test_large_and_unlike_batches_stay_as_they_are(last):
    batches = [rows(n) for n in range(RUN - 1)] + [last]
    assert gathered(batches) is batches
