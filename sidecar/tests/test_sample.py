import numpy as np
import pyarrow as pa

from drift_sidecar.sample import Sample


def numbered(first, count):
    return pa.RecordBatch.from_pydict({"row": np.arange(first, first + count)})


def filled(size, rows, seed, step=100):
    sample, rng = Sample(size), np.random.default_rng(seed)
    for first in range(0, rows, step):
        sample.add(numbered(first, step), rng)
    return sample


def test_few_rows_are_all_kept_in_order():
    assert filled(1000, 300, seed=1).table()["row"].to_pylist() == list(range(300))


def test_many_rows_are_cut_to_the_size():
    assert filled(50, 10_000, seed=1).table().num_rows == 50


def test_every_row_is_kept_equally_often():
    means = [np.mean(filled(50, 1000, seed).table()["row"].to_pylist()) for seed in range(200)]
    # Mean of 50 of 0..999 without replacement, over 200 samples: sd 2.8.
    assert abs(np.mean(means) - 499.5) < 4 * 2.8


def test_the_seed_decides():
    assert filled(50, 1000, seed=3).table() == filled(50, 1000, seed=3).table()


def test_merged_samples_weigh_both_by_their_rows():
    shares = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        small, large = Sample(100), Sample(100)
        small.add(numbered(0, 100), rng)
        large.add(numbered(1000, 900), rng)
        large.merge(small)
        shares.append(np.mean(np.array(large.table()["row"]) < 1000))
    assert abs(np.mean(shares) - 0.1) < 0.02


def test_samples_of_two_sizes_merge_without_bias():
    shares = []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        wide, narrow = Sample(500), Sample(500)
        wide.add(numbered(0, 1000), rng)
        narrow.add(numbered(1000, 1000), rng)
        narrow.limit(100)
        wide.merge(narrow)
        assert wide.table().num_rows == 100
        shares.append(np.mean(np.array(wide.table()["row"]) < 1000))
    assert abs(np.mean(shares) - 0.5) < 4 * 0.05 / 50**0.5


def test_it_is_the_rows_that_drew_least_whatever_the_batches():
    drawn = np.random.default_rng(9).random(10_000)
    least = np.sort(np.argsort(drawn)[:50]).tolist()
    for step in (1, 8, 100, 2500):
        assert filled(50, 10_000, seed=9, step=step).table()["row"].to_pylist() == least


def test_it_holds_its_rows_and_not_the_body_they_came_in():
    sample, rng = Sample(1000), np.random.default_rng(1)
    before = pa.total_allocated_bytes()
    for _ in range(10):
        body = pa.allocate_buffer(8_000_000)
        column = pa.Array.from_buffers(pa.float64(), 100, [None, body])
        sample.add(pa.RecordBatch.from_arrays([column], ["row"]), rng)
        del body, column
    assert sample.table().num_rows == 1000
    assert pa.total_allocated_bytes() - before < 1_000_000
