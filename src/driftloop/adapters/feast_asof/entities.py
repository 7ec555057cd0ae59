"""Entity rows: the caller's frame, checked, and what of it a join needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df

from driftloop import instants
from driftloop.adapters.feast_asof.join import ROW, TIME
from driftloop_contracts.errors import InvalidInput

WHERE = "the entity frame"


@dataclass(frozen=True)
class EntityRows:
    """The caller's rows in the caller's order; ``time`` names their timestamps."""

    table: pa.Table
    time: str

    @classmethod
    def of(cls, frame: Any) -> EntityRows:
        """Check ``frame``, which needs one timestamp column or one named event_timestamp."""
        if not isinstance(frame, pd.DataFrame):
            raise InvalidInput("entity_df", "the request", "a DataFrame", type(frame).__name__)
        time = infer_event_timestamp_from_entity_df(dict(frame.dtypes))
        rows = cls(pa.Table.from_pandas(frame, preserve_index=False), time)
        kind = rows.table.schema.field(time).type
        if not pa.types.is_timestamp(kind) and len(frame):
            raise InvalidInput(f"column '{time}'", WHERE, "timestamps with a time zone", str(kind))
        if len(frame) and kind.tz is None:
            raise InvalidInput(f"column '{time}'", WHERE, "timestamps with a time zone", "none")
        missing = rows.table[time].null_count
        if missing:
            raise InvalidInput(f"column '{time}'", WHERE, "set in every row", f"{missing} without")
        return rows

    @property
    def fine(self) -> bool:
        """Whether a timestamp is finer than microseconds."""
        kind = self.table.schema.field(self.time).type
        if not pa.types.is_timestamp(kind) or kind.unit != "ns":
            return False
        nanoseconds = self.table[self.time].cast(pa.int64())
        whole = pc.multiply(pc.divide(nanoseconds, 1000), 1000)
        return not pc.all(pc.equal(whole, nanoseconds)).as_py()

    def instants(self, unit: str) -> pa.ChunkedArray:
        """Return the timestamps as integers of ``unit`` since 1970."""
        column = self.table[self.time]
        zone = getattr(column.type, "tz", None)
        return column.cast(pa.timestamp(unit, zone)).cast(pa.int64())

    def keys(self, names: Iterable[str], unit: str) -> pa.Table:
        """Return the join keys ``names``, the time and the number of each row."""
        columns = {}
        for name in names:
            if name not in self.table.column_names:
                have = f"one of {sorted(self.table.column_names)}"
                raise InvalidInput("join key", WHERE, have, name)
            column = self.table[name]
            categories = pa.types.is_dictionary(column.type)
            columns[name] = column.cast(column.type.value_type) if categories else column
        columns[TIME] = self.instants(unit)
        columns[ROW] = np.arange(self.table.num_rows)
        return pa.table(columns)

    def span(self) -> tuple[Any, Any]:
        """Return the first and the last timestamp; None of no rows."""
        found = pc.min_max(self.table[self.time]).as_py()
        return found["min"], found["max"]

    def with_features(self, features: pa.Table) -> pa.Table:
        """Return the caller's columns with those of ``features`` after them."""
        table = self.table
        for name in features.column_names:
            if name in table.column_names:
                raise InvalidInput("feature", "the request", f"no column of {WHERE}", name)
            table = table.append_column(features.schema.field(name), features[name])
        return table


def instant(moment: datetime, unit: str) -> int:
    """Return ``moment`` as an integer of ``unit`` since 1970; UTC where it has no zone.

    >>> instant(datetime(1970, 1, 1, 0, 0, 1), "us")
    1000000
    """
    return instants.since_epoch(moment) * (1 if unit == "us" else 1000)


def duration(length: timedelta, unit: str) -> int:
    """Return ``length`` as an integer of ``unit``.

    >>> duration(timedelta(seconds=1), "ns")
    1000000000
    """
    return instants.length(length) * (1 if unit == "us" else 1000)
