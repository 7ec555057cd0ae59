"""Batches: the rows of a parquet file, so many at a time, and a file that is written so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop import parquet
from driftloop_contracts.errors import InvalidInput

ROWS = 1 << 16
"""Of a row group that is written here, and of a batch."""


class Rows:
    """The rows of the parquet file ``path``; raise InvalidInput where it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            metadata = pq.read_metadata(path)
        except (OSError, pa.ArrowException) as error:
            raise InvalidInput("the rows", str(path), "a parquet file", str(error)) from error
        self._count = int(metadata.num_rows)

    def __len__(self) -> int:
        return self._count

    def read(self, names: Sequence[str] | None = None, rows: int = ROWS) -> Iterator[pd.DataFrame]:
        """Yield the rows in their order; of the columns ``names`` those that there are."""
        with pq.ParquetFile(self.path) as file:
            there = None if names is None else [n for n in names if n in file.schema_arrow.names]
            # One call for all row groups would read ahead and hold the whole file.
            for groups in _together(file, rows):
                yield from _frames(file, groups, rows, there)

    def span(self, time: str = "event_time") -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return the first and the last time; raise InvalidInput of no rows."""
        spans = [(batch[time].min(), batch[time].max()) for batch in self.read([time])]
        if not spans:
            raise InvalidInput("the rows", str(self.path), "at least one", "none")
        return min(first for first, _ in spans), max(last for _, last in spans)


class Writer:
    """A parquet file that takes frame after frame; it is whole once the ``with`` block ends.

    The first frame with rows says the columns and their types. ``kinds``: Arrow's type of a column
    of which that frame knows no value.
    """

    def __init__(self, path: Path, kinds: dict[str, pa.DataType] | None = None) -> None:
        self.path, self._kinds = path, kinds or {}
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, frame: pd.DataFrame) -> None:
        """Append the frame's rows as row groups; raise InvalidInput where its types differ."""
        table = pa.Table.from_pandas(_in_micros(frame), preserve_index=False)
        if self._writer is None:
            self._writer = self._opened(table.schema)
        try:
            table = table.select(self._schema.names).cast(self._schema)
        except (KeyError, pa.ArrowException) as error:
            raise InvalidInput(
                "a batch's columns", str(self.path), "those of the first", str(error)
            ) from error
        self._writer.write_table(table, row_group_size=ROWS)
        self.rows += len(frame)

    def _opened(self, schema: pa.Schema) -> pq.ParquetWriter:
        self._schema = pa.schema([(field.name, self._type(field)) for field in schema])
        return pq.ParquetWriter(
            self.path, self._schema, coerce_timestamps="us", allow_truncated_timestamps=True
        )

    def _type(self, field: pa.Field) -> Any:
        if pa.types.is_timestamp(field.type):
            return pa.timestamp("us", field.type.tz)
        if pa.types.is_null(field.type):
            return self._kinds.get(field.name, pa.string())
        return field.type


def _together(file: pq.ParquetFile, rows: int) -> Iterator[list[int]]:
    """Yield row groups that hold ``rows`` together, or one that holds more."""
    groups: list[int] = []
    held = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        if groups and held + count > rows:
            yield groups
            groups, held = [], 0
        groups.append(group)
        held += count
    if groups:
        yield groups


def _frames(
    file: pq.ParquetFile, groups: list[int], rows: int, names: list[str] | None
) -> Iterator[pd.DataFrame]:
    for batch in file.iter_batches(rows, row_groups=groups, columns=names, use_threads=False):
        yield parquet.frame(pa.Table.from_batches([batch]))


def _in_micros(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with its times in microseconds, as all event times here are."""
    times = frame.select_dtypes("datetimetz")
    return frame.assign(**{str(name): times[name].dt.as_unit("us") for name in times})
