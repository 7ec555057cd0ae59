"""Rows read and written batch by batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from driftloop.batches import Rows, Writer
from driftloop_contracts.errors import InvalidInput

NOON = pd.Timestamp("2026-01-01T12:00:00Z")


def test_what_is_written_is_read_in_any_batches(tmp_path: Path) -> None:
    times = NOON + pd.to_timedelta(range(10), unit="h")
    frame = pd.DataFrame({"event_time": times.as_unit("us"), "n": range(10)})
    with Writer(tmp_path / "rows") as sink:
        sink.write(frame.iloc[:0])
        sink.write(frame.iloc[:7])
        sink.write(frame.iloc[7:].assign(event_time=lambda f: f["event_time"].dt.as_unit("ns")))
    rows = Rows(tmp_path / "rows")
    read = list(rows.read(rows=4))
    assert (len(rows), sink.rows, max(map(len, read))) == (10, 10, 4)
    pd.testing.assert_frame_equal(pd.concat(read, ignore_index=True), frame)
    assert rows.span() == (times[0], times[-1])
    assert list(next(rows.read(["n", "other"]))) == ["n"]


def test_a_column_unknown_at_first_gets_its_type_later(tmp_path: Path) -> None:
    with Writer(tmp_path / "rows") as sink:
        sink.write(pd.DataFrame({"c": [None], "n": pd.array([1], "Int64")}))
        sink.write(pd.DataFrame({"c": ["x"], "n": pd.array([None], "Int64")}))
    assert pq.read_table(tmp_path / "rows").to_pydict() == {"c": [None, "x"], "n": [1, None]}


def test_other_columns_are_refused(tmp_path: Path) -> None:
    with Writer(tmp_path / "rows") as sink:
        sink.write(pd.DataFrame({"n": [1]}))
        with pytest.raises(InvalidInput, match="those of the first"):
            sink.write(pd.DataFrame({"m": [1]}))


def test_what_is_no_parquet_and_what_is_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with pytest.raises(InvalidInput, match="a parquet file"):
        Rows(tmp_path / "text")
    with pytest.raises(InvalidInput, match="a parquet file"):
        Rows(tmp_path / "nothing")


def test_only_a_few_row_groups_are_held(tmp_path: Path) -> None:
    rng, path = np.random.default_rng(0), tmp_path / "rows"
    with Writer(path) as sink:
        for _ in range(40):
            sink.write(pd.DataFrame({"n": rng.random(20_000)}))
    before, held = pa.total_allocated_bytes(), []
    for _ in Rows(path).read(rows=20_000):
        held.append(pa.total_allocated_bytes() - before)
    assert max(held) < path.stat().st_size / 4
