from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from drift_sidecar import grid, records, reference
from drift_sidecar.windows import ENOUGH_ROWS, SAMPLE_ROWS, SAMPLES_ROWS, Windows
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import from_data


@pytest.fixture
def rows(given):
    kinds = {feature.name: feature.kind for feature in given.baseline.features}
    return lambda count: records.from_batch(from_data(given.batch(count, 0).data), kinds)


@pytest.fixture
def found(given, store, tmp_path):
    given.put_bundle(store, replace(given.baseline, window_seconds=100))
    return reference.fetch(store, given.loop, given.version, tmp_path / "scratch")


@pytest.fixture
def windows(found):
    return Windows(found, 1000)


@pytest.mark.parametrize("second", [0, 1, 99])
def test_a_cell_holds_its_start_and_not_its_end(second):
    assert grid.floor(second, 100) == 0
    assert grid.floor(100, 100) == 100


def test_a_window_closes_when_it_ends_at_the_watermark(windows, rows):
    windows.add(rows(3), 150, np.random.default_rng(1))
    assert windows.close(199) == []
    assert [(w.start, w.end, w.n) for w in windows.close(200)] == [(100, 200, 3)]


def test_rows_of_one_cell_share_a_window_in_any_order(windows, rows):
    for second in (250, 110, 190, 199):
        windows.add(rows(1), second, np.random.default_rng(1))
    assert [(w.start, w.n) for w in windows.close(1000)] == [(100, 3), (200, 1)]


def test_late_rows_go_into_the_first_open_window(windows, rows):
    windows.close(300)
    windows.add(rows(2), 120, np.random.default_rng(1))
    assert [(w.start, w.n) for w in windows.open()] == [(300, 2)]


def test_windows_wait_one_length_for_records_on_their_way(windows, rows):
    windows.add(rows(1), 0, np.random.default_rng(1))
    windows.add(rows(1), 199, np.random.default_rng(1))
    assert not windows.due(windows.overdue())
    windows.add(rows(1), 200, np.random.default_rng(1))
    assert windows.due(windows.overdue())


def test_a_nonsense_year_is_refused():
    with pytest.raises(InvalidInput, match="between the years 1970 and 2999"):
        grid.seconds(datetime(9999, 12, 31, tzinfo=UTC))


def test_samples_of_many_windows_are_smaller_and_together_bounded(found, rows):
    windows, rng, batch = Windows(found), np.random.default_rng(1), rows(4000)
    for start in range(0, 4000, 100):
        for _ in range(3):
            windows.add(batch, start, rng)
    open_sizes = [window.sample.table().num_rows for window in windows.open()]
    assert open_sizes == [max(ENOUGH_ROWS, SAMPLES_ROWS // 40)] * 40
    assert [window.n for window in windows.close(4000)] == [12_000] * 40


def test_one_window_keeps_a_whole_sample(found, rows):
    windows, rng, batch = Windows(found), np.random.default_rng(1), rows(4000)
    for _ in range(6):
        windows.add(batch, 0, rng)
    assert windows.close(100)[0].sample.table().num_rows == SAMPLE_ROWS
