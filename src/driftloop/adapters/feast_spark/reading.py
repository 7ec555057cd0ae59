"""What a Feast source names, as a Spark frame."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
from feast.data_format import ParquetFormat
from feast.infra.offline_stores.contrib.spark_offline_store.spark_source import SparkSource
from feast.infra.offline_stores.file_source import FileSource
from pyspark.sql import DataFrame, SparkSession

from driftloop.adapters.feast_asof import files
from driftloop_contracts.errors import InvalidInput

Read = tuple[DataFrame, frozenset[str]]
"""Rows, and the names of the columns that are nanoseconds since 1970 as whole numbers."""


def read(session: SparkSession, source: Any, folder: Any, where: str) -> Read:
    """Return the rows of ``source``; ``where``: what an error says of it, such as its view.

    A SparkSource is all that Spark itself can read; a FileSource is parquet, on disks that every
    executor sees or in S3, by the same files that DuckDB would read.
    """
    if isinstance(source, SparkSource):
        return session.sql(f"SELECT * FROM {source.get_table_query_string()}"), frozenset()
    if not isinstance(source, FileSource):
        allowed = "a FileSource or a SparkSource"
        raise InvalidInput("source", where, allowed, type(source).__name__)
    if not isinstance(source.file_format or ParquetFormat(), ParquetFormat):
        raise InvalidInput("file_format", where, "parquet", type(source.file_format).__name__)
    path = FileSource.get_uri_for_file_path(folder, source.path)
    place = files.place(path, source.s3_endpoint_override)
    found = place.parquet()
    if not found:
        raise InvalidInput("source", where, "at least one parquet file", path)
    return _parquet(session, place, found), _nanoseconds(place.dataset().schema)


def _parquet(session: SparkSession, place: files.Place, found: list[str]) -> DataFrame:
    """Read ``found``, which may lie in hive partitions and differ in their columns."""
    reader = session.read
    if found != [place.path]:
        reader = reader.option("basePath", uri(place, place.root())).option("mergeSchema", True)
    return reader.parquet(*(_escaped(uri(place, path)) for path in found))


def uri(place: files.Place, path: str) -> str:
    """Return what Spark calls a path of ``place``."""
    # Hadoop's client of S3 goes by another name than everyone's.
    return f"file://{path}" if place.local else f"s3a://{path}"


def _escaped(path: str) -> str:
    r"""Return the path with nothing in it that Spark would take for a pattern.

    >>> _escaped("file:///rows[1]/a.parquet")
    'file:///rows\\[1\\]/a.parquet'
    """
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def _nanoseconds(schema: pa.Schema) -> frozenset[str]:
    times = (field for field in schema if pa.types.is_timestamp(field.type))
    return frozenset(field.name for field in times if field.type.unit == "ns")
