"""What a window counts is what its rows are, whatever batches they come in."""

import numpy as np
import pyarrow as pa
import pytest

from drift_sidecar import reference
from drift_sidecar.tallies import RUN, Tallies


@pytest.fixture
def found(given, store, tmp_path):
    return reference.fetch(store, given.loop, given.version, tmp_path / "scratch")


def batch(columns, weights=None):
    rows = len(columns["relevance"])
    return pa.RecordBatch.from_pydict(
        {
            "relevance": pa.array(columns["relevance"], pa.float64()),
            "device": pa.array(columns["device"], pa.string()),
            "weight": np.ones(rows) if weights is None else weights,
            "event_time": pa.array([0] * rows, pa.timestamp("us", "UTC")),
        }
    )


@pytest.mark.parametrize("size", [1, 7, RUN - 1, RUN, 2 * RUN])
def test_batches_of_any_size_count_the_same(found, given, size):
    rows = 2 * RUN
    whole = batch(given.draw(rows, seed=3))
    once, often = Tallies(found), Tallies(found)
    once.add(whole)
    for first in range(0, rows, size):
        often.add(whole.slice(first, size))
    assert [o.tally for o in often.observed()] == [o.tally for o in once.observed()]
    assert sum(once.observed()[0].tally.counts) == once.rows == rows


def test_two_windows_add_up(found, given):
    first, second, both = (Tallies(found) for _ in range(3))
    one, two = batch(given.draw(300, seed=3)), batch(given.draw(200, seed=4))
    first.add(one)
    second.add(two)
    both.add(one)
    both.add(two)
    first.merge(second)
    assert [o.tally for o in first.observed()] == [o.tally for o in both.observed()]


def test_rows_count_by_their_weight(found):
    window = Tallies(found)
    columns = {"relevance": [0.0, None, 99.0], "device": ["a", "zz", None]}
    window.add(batch(columns, np.array([1.0, 2.0, 4.0])))
    number, device = window.observed()
    assert (number.tally.missing, number.out_of_range, number.tally.weight) == (2, 4, 7)
    assert device.tally.counts == (1.0, 0.0, 2.0)
    assert device.tally.missing == 4
    assert window.kish == pytest.approx(49 / 21)


@pytest.mark.parametrize(
    ("values", "only"),
    [([0.5, 0.5], "0.5"), ([0.5, 0.6], ""), ([None, 0.5], "0.5"), ([None] * 2, "")],
)
def test_the_one_value_is_told(found, values, only):
    window = Tallies(found)
    window.add(batch({"relevance": values, "device": ["a"] * 2}))
    window.add(batch({"relevance": values, "device": ["a"] * 2}))
    assert [one.only for one in window.observed()] == [only, "a"]
