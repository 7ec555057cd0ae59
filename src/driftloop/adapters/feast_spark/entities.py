"""Entity rows in Spark: a query's or a frame's, in no order; a caller's table, made fit for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.type_map import spark_schema_to_np_dtypes
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as fn
from pyspark.sql.pandas.types import to_arrow_schema

from driftloop import instants
from driftloop.adapters.feast_asof.entities import WHERE
from driftloop.adapters.feast_asof.join import TIME
from driftloop.adapters.feast_asof.retrieval import TIMESTAMP
from driftloop.adapters.feast_spark.columns import column, floored, microseconds
from driftloop.adapters.feast_spark.source import Span
from driftloop_contracts.errors import InvalidInput


@dataclass(frozen=True)
class SparkRows:
    """Rows with timestamps in the column ``time``, and as integers of ``unit`` in ``TIME``.

    ``bounds``: between which all of ``TIME`` lies; None of no rows.
    """

    frame: DataFrame
    time: str
    unit: str
    bounds: Span

    @classmethod
    def of(cls, session: SparkSession, asked: Any, unit: str) -> SparkRows:
        """Check ``asked``, an SQL query or a frame, by one pass over its timestamps."""
        frame = session.sql(asked) if isinstance(asked, str) else asked
        if not isinstance(frame, DataFrame):
            allowed = "a DataFrame of pandas or of Spark, or an SQL query"
            raise InvalidInput("entity_df", "the request", allowed, type(asked).__name__)
        time = _time_of(frame)
        instants = microseconds(column(time))
        frame = frame.withColumn(TIME, instants * 1000 if unit == "ns" else instants)
        missing = fn.count("*") - fn.count(TIME)
        found = frame.agg(missing, fn.min(TIME), fn.max(TIME)).collect()[0]
        if found[0]:
            got = f"{found[0]} without"
            raise InvalidInput(f"column '{time}'", WHERE, "set in every row", got)
        return cls(frame, time, unit, (found[1], found[2]))

    @classmethod
    def over(cls, moments: DataFrame, unit: str, bounds: Span) -> SparkRows:
        """Return rows of join keys and ``TIME`` with a timestamp before them."""
        instants = floored(column(TIME)) if unit == "ns" else column(TIME)
        rows = moments.select(fn.timestamp_micros(instants).alias(TIMESTAMP), "*")
        return cls(rows, TIMESTAMP, unit, bounds)

    @property
    def names(self) -> list[str]:
        """The caller's columns."""
        return [name for name in self.frame.columns if name != TIME]

    def keys(self, names: Iterable[str]) -> pa.Table:
        """Return no rows of the join keys ``names``, in the types that these have."""
        for name in names:
            if name not in self.names:
                raise InvalidInput("join key", WHERE, f"one of {sorted(self.names)}", name)
        schema = self.frame.select(*map(column, names)).schema
        return to_arrow_schema(schema).empty_table()

    def span(self) -> tuple[datetime | None, datetime | None]:
        """Return the first and the last timestamp."""
        first, last = self.bounds
        return _moment(first, self.unit), _moment(last, self.unit)


def plain(table: pa.Table) -> pa.Table:
    """Return ``table`` in types that Spark has: no categories, no unsigned or untyped columns.

    >>> plain(pa.table({"shop": pa.array([7], pa.uint32())})).schema.field("shop").type
    DataType(int64)
    """
    for place, field in enumerate(table.schema):
        kind = _plain(field.type)
        if kind != field.type:
            table = table.set_column(place, field.name, table[place].cast(kind))
    return table


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_uint64(kind):
        return pa.decimal128(20)
    if pa.types.is_null(kind):
        return pa.string()  # Parquet has no column without a type.
    return pa.int64() if pa.types.is_unsigned_integer(kind) else kind


def _time_of(frame: DataFrame) -> str:
    """Return the column with the rows' timestamps: the only one, or the one named so."""
    kinds = dict(zip(frame.columns, spark_schema_to_np_dtypes(frame.dtypes), strict=True))
    time: str = infer_event_timestamp_from_entity_df(kinds)
    kind = dict(frame.dtypes)[time]
    if not kind.startswith("timestamp"):
        raise InvalidInput(f"column '{time}'", WHERE, "timestamps", kind)
    return time


def _moment(instant: int | None, unit: str) -> datetime | None:
    if instant is None:
        return None
    return instants.moment(instant // (1000 if unit == "ns" else 1))
