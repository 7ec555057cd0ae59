"""Reference rows: what a model was asked in a quiet period, read from a parquet file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop_contracts.category import text
from driftloop_contracts.errors import InvalidInput

Values = np.ndarray[Any, Any]

WHERE = "the reference rows"
NUMERIC, CATEGORICAL = "numeric", "categorical"


@dataclass(frozen=True)
class ReferenceRows:
    """The features of every row, in the order of time where that is known.

    ``columns``: by feature, float64 with NaN for a numeric one, text or None for a categorical
    one; ``seconds``: when each row happened, since the epoch (None: not known).
    """

    columns: Mapping[str, Values]
    kinds: Mapping[str, str]
    seconds: Values | None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def read(
    path: Path, time: str = "", features: Sequence[str] = (), categorical: Sequence[str] = ()
) -> ReferenceRows:
    """Return the rows of a parquet file; raise InvalidInput for what a model is not asked.

    ``time``: the column of timestamps, in UTC where it names no zone; ``features``: the columns
    to take, in the order that positions count (all others by default); ``categorical``: columns
    whose numbers are names. Other kinds follow from the column's type.
    """
    table = _table(path)
    names = list(features) or [name for name in table.column_names if name != time]
    _check_columns(table, [*names, *categorical, *([time] if time else [])])
    if not names or time in names or len(set(names)) < len(names):
        raise InvalidInput("the features", WHERE, "columns beside the time, each once", names)
    kinds = {n: CATEGORICAL if n in categorical else _kind(table.schema.field(n)) for n in names}
    columns = {name: _values(table[name], kind) for name, kind in kinds.items()}
    if not time:
        return ReferenceRows(columns, kinds, None)
    seconds = _seconds(table[time], time)
    order = np.argsort(seconds, kind="stable")
    ordered = {name: values[order] for name, values in columns.items()}
    return ReferenceRows(ordered, kinds, seconds[order])


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        raise InvalidInput("ROWS", "the command", "a readable parquet file", str(path)) from error


def _check_columns(table: pa.Table, names: Sequence[str]) -> None:
    for name in names:
        if table.column_names.count(name) != 1:
            allowed = f"one of its columns, there once: {', '.join(table.column_names)}"
            raise InvalidInput("a column", WHERE, allowed, name)


def _kind(field: pa.Field) -> str:
    kind, of = field.type, pa.types
    if of.is_dictionary(kind) or of.is_string(kind) or of.is_large_string(kind):
        return CATEGORICAL
    if of.is_integer(kind) or of.is_floating(kind) or of.is_boolean(kind) or of.is_decimal(kind):
        return NUMERIC
    allowed = "numbers, booleans or text, or be left out of --features"
    raise InvalidInput(f"column {field.name!r}", WHERE, allowed, str(kind))


def _values(column: pa.ChunkedArray, kind: str) -> Values:
    if kind == CATEGORICAL:
        named = (None if v is None or v != v else text(v) for v in column.to_pylist())
        return np.array(list(named), dtype=object)
    numbers: Values = column.cast(pa.float64(), safe=False).to_numpy().copy()
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _seconds(column: pa.ChunkedArray, name: str) -> Values:
    if not pa.types.is_timestamp(column.type) or column.null_count:
        got = f"{column.type}, {column.null_count} of them null"
        raise InvalidInput(f"column {name!r}", WHERE, "timestamps, none of them null", got)
    micro = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    seconds: Values = micro.to_numpy() // 1_000_000
    return seconds
