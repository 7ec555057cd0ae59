"""Spark columns: named exactly, instants as integers, the types that two sides are compared in."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, types
from pyspark.sql import functions as fn

DUCKDB = {"INT": "INTEGER", "STRING": "VARCHAR", "BINARY": "BLOB"}
"""Where Spark names a type otherwise than DuckDB, by whose names feast_asof tells kinds of keys."""
FLOATS = (types.FloatType, types.DoubleType)


def column(name: str) -> Column:
    """Return the column called ``name``, whatever dots or quotes are in that."""
    return fn.col(quoted(name))


def quoted(name: str) -> str:
    """Return ``name`` as Spark's identifier.

    >>> quoted("of `7`.days")
    '`of ``7``.days`'
    """
    return "`" + name.replace("`", "``") + "`"


def kinds(frame: DataFrame) -> dict[str, types.DataType]:
    """Return the type of each column."""
    return {field.name: field.dataType for field in frame.schema}


def type_name(kind: types.DataType) -> str:
    """Return the name of a type as DuckDB has it.

    >>> type_name(types.IntegerType()), type_name(types.DecimalType(4, 1))
    ('INTEGER', 'DECIMAL(4,1)')
    """
    name = str(kind.simpleString()).upper()
    return str(DUCKDB.get(name, name))


def microseconds(moment: Column) -> Column:
    """Return a timestamp or a date as an integer since 1970."""
    return fn.unix_micros(moment.cast("timestamp"))


def floored(nanoseconds: Column) -> Column:
    """Return the microsecond that each of ``nanoseconds`` lies in."""
    thousand = fn.lit(1000)
    return fn.call_function("div", nanoseconds - fn.pmod(nanoseconds, thousand), thousand)


def common_type(ours: types.DataType, theirs: types.DataType) -> str:
    """Return the type in which values of two types of one kind are equal if they are the same.

    >>> common_type(types.IntegerType(), types.LongType())
    'bigint'
    >>> common_type(types.DecimalType(20, 0), types.LongType())
    'decimal(38,0)'
    >>> common_type(types.DecimalType(20, 0), types.DoubleType())
    'double'
    """
    if isinstance(ours, FLOATS) or (
        isinstance(ours, types.DecimalType) and isinstance(theirs, FLOATS)
    ):
        return "double"
    if isinstance(ours, types.DecimalType):
        return f"decimal(38,{ours.scale})"
    if isinstance(ours, types.TimestampNTZType):
        return "timestamp"
    return "bigint" if isinstance(ours, types.IntegralType) else str(ours.simpleString())


def as_type(value: Column, kind: types.DataType, target: str) -> Column:
    """Return ``value``, of type ``kind``, as ``target``; null, which matches nothing, if none.

    A cast alone would make 1 of 1.5.
    """
    if target == "bigint" and isinstance(kind, FLOATS):
        value = fn.when(value == fn.floor(value), value)
    return value.try_cast(target)
