"""Samples of rows that come in batches."""

from __future__ import annotations

import numpy as np
import pandas as pd

from driftloop.training.sample import Latest, Sample


def batches(rows: int, at_once: int) -> list[pd.DataFrame]:
    frame = pd.DataFrame({"n": np.arange(rows)})
    return [frame.iloc[start : start + at_once] for start in range(0, rows, at_once)]


def test_every_row_is_as_likely() -> None:
    """Each tenth of the stream gets its tenth of the samples, to 4 standard errors."""
    counts = np.zeros(10)
    for seed in range(200):
        sample = Sample(50, np.random.default_rng(seed))
        for batch in batches(1000, 77):
            sample.add(batch)
        rows = sample.rows()["n"]
        assert len(rows) == 50
        assert rows.is_monotonic_increasing
        counts += np.bincount(rows // 100, minlength=10)
    assert np.abs(counts - 1000).max() < 4 * np.sqrt(10_000 * 0.1 * 0.9)


def test_of_few_rows_all_are_kept() -> None:
    sample = Sample(50, np.random.default_rng(0))
    for batch in batches(50, 20):
        sample.add(batch)
    assert sample.rows()["n"].tolist() == list(range(50))
    assert not sample.thinned


def test_the_latest_are_the_last_ones() -> None:
    latest = Latest(30)
    for batch in batches(100, 7):
        latest.add(batch)
    assert latest.rows()["n"].tolist() == list(range(70, 100))
