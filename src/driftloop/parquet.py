"""Frames as parquet bytes that every reader here can take."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop_contracts.errors import InvalidInput

NUMERIC = {pa.float64(), pa.float32(), pa.int64(), pa.int32()}


def dump(frame: pd.DataFrame) -> bytes:
    """Return ``frame`` as parquet with times in microseconds, as all event times here are."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    sink = io.BytesIO()
    pq.write_table(table, sink, coerce_timestamps="us", allow_truncated_timestamps=True)
    return sink.getvalue()


def load(content: bytes, names: Sequence[str] | None = None, where: str = "a file") -> pd.DataFrame:
    """Return the frame in parquet bytes; of the columns ``names`` those that there are.

    Whole numbers stay whole where some are missing. Raise InvalidInput for what is no parquet;
    ``where``: what it says of the bytes.

    >>> load(dump(pd.DataFrame({"a": [1, 2], "b": 3})), ["a", "c"]).to_dict("list")
    {'a': [1, 2]}
    """
    try:
        file = pq.ParquetFile(io.BytesIO(content))
    except pa.ArrowException as error:
        raise InvalidInput("the content", where, "parquet", str(error)) from error
    there = None if names is None else [n for n in names if n in file.schema_arrow.names]
    return frame(file.read(there))


def frame(table: pa.Table) -> pd.DataFrame:
    """Return ``table`` as a frame in which whole numbers stay whole where some are missing."""
    some = [column.type for column in table.columns if column.null_count]
    whole = {pa.int64(): pd.Int64Dtype()} if pa.int64() in some else {}
    found: pd.DataFrame = table.to_pandas(types_mapper=whole.get)
    return found


def rows(content: bytes) -> int:
    """Return how many rows parquet bytes hold, without reading them."""
    return int(pq.ParquetFile(io.BytesIO(content)).metadata.num_rows)


def kinds(content: bytes) -> dict[str, str]:
    """Return of each column in parquet bytes whether it is numeric, categorical or a time.

    >>> kinds(dump(pd.DataFrame({"a": [1.5], "b": ["x"], "c": [pd.Timestamp(0)]})))
    {'a': 'numeric', 'b': 'categorical', 'c': 'time'}
    """
    return {field.name: _kind(field.type) for field in pq.read_schema(io.BytesIO(content))}


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "time"
    return "numeric" if kind in NUMERIC else "categorical"
