"""Parquet of a Feast file source as a DuckDB relation: a file, a folder, a glob, ``s3://``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
from feast.data_format import ParquetFormat
from feast.infra.offline_stores.file_source import FileSource

from driftloop.adapters.feast_asof import files
from driftloop.adapters.feast_asof.join import literal, quoted
from driftloop_contracts.errors import InvalidInput

TIMESTAMPS = ("TIMESTAMP", "DATE")
"""How the DuckDB types of a point in time begin; one without a zone counts as UTC."""


class Source:
    """The rows of ``source`` on a DuckDB connection, its columns renamed by ``mapping``.

    ``where``: what an error says of the source, such as its feature view.
    """

    numbers = itertools.count()

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        source: FileSource,
        folder: Any,
        where: str,
        mapping: Mapping[str, str],
    ) -> None:
        if not isinstance(source, FileSource):
            raise InvalidInput("source", where, "a FileSource", type(source).__name__)
        if not isinstance(source.file_format or ParquetFormat(), ParquetFormat):
            raise InvalidInput("file_format", where, "parquet", type(source.file_format).__name__)
        self.where, self.path = where, FileSource.get_uri_for_file_path(folder, source.path)
        self._connection = connection
        self._view = f"source_{next(self.numbers)}"
        self._open(source)
        self.types = self._columns(mapping)

    def _open(self, source: FileSource) -> None:
        """Make the view of the files as they are."""
        place = files.place(self.path, source.s3_endpoint_override)
        found = place.parquet()
        if not found:
            raise InvalidInput("source", self.where, "at least one parquet file", self.path)
        if place.local:
            paths = ", ".join(literal(path) for path in found)
            reader = f"read_parquet([{paths}], union_by_name = true)"
        else:
            # DuckDB's own S3 client is an extension to be downloaded; Arrow's is at hand.
            reader = f"{self._view}_files"
            self._connection.register(reader, place.dataset())
        self._connection.execute(f"CREATE TEMP VIEW {self._view}_raw AS SELECT * FROM {reader}")

    def _columns(self, mapping: Mapping[str, str]) -> dict[str, str]:
        """Rename columns as ``mapping`` says; return each one's type."""
        description = self._connection.execute(f"DESCRIBE {self._view}_raw").fetchall()
        names = {row[0]: mapping.get(row[0], row[0]) for row in description}
        renamed = ", ".join(f"{quoted(a)} AS {quoted(b)}" for a, b in names.items())
        query = f"CREATE TEMP VIEW {self._view} AS SELECT {renamed} FROM {self._view}_raw"
        self._connection.execute(query)
        return {names[row[0]]: str(row[1]) for row in description}

    def needs(self, columns: Iterable[str]) -> None:
        """Raise InvalidInput for the first of ``columns`` that the source does not have."""
        for column in columns:
            if column not in self.types:
                have = f"one of {sorted(self.types)}"
                raise InvalidInput("column", f"{self.where}, {self.path}", have, column)

    def fine(self, column: str) -> bool:
        """Return whether the timestamps in ``column`` are finer than microseconds."""
        self._point_in_time(column)
        return self.types[column].endswith("_NS")

    def instant(self, column: str, unit: str) -> str:
        """Return the SQL of ``column`` as an integer of ``unit`` ("us" or "ns") since 1970."""
        self._point_in_time(column)
        return f"epoch_{unit}({quoted(column)})"

    def _point_in_time(self, column: str) -> None:
        self.needs([column])
        kind = self.types[column]
        if not kind.startswith(TIMESTAMPS):
            raise InvalidInput(f"column '{column}'", self.where, "timestamps", kind)

    def select(
        self, columns: Iterable[str], span: tuple[int | None, int | None], event: str, unit: str
    ) -> str:
        """Return the query of ``columns`` (SQL) of rows with ``event`` in ``span``, inclusive.

        ``span``: integers of ``unit`` since 1970; None is open.
        """
        instant = self.instant(event, unit)
        first, last = span
        conditions = [f"{instant} >= {first}"] if first is not None else []
        conditions += [f"{instant} <= {last}"] if last is not None else []
        if not self.fine(event) and self.types[event].startswith("TIMESTAMP"):
            # Once more in the column's own type, by which parquet skips row groups.
            make = "make_timestamptz" if "ZONE" in self.types[event] else "make_timestamp"
            scale = 1 if unit == "us" else 1000
            bound = f"{make}({{}}::BIGINT)"
            if first is not None:
                conditions.append(f"{quoted(event)} >= {bound.format(first // scale)}")
            if last is not None:
                conditions.append(f"{quoted(event)} <= {bound.format(last // scale)}")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT {', '.join(columns)} FROM {self._view}{where}"


def schema(source: FileSource, folder: Path | str | None) -> list[tuple[str, str]]:
    """Return the columns of ``source`` as they are in its files, with Arrow's types."""
    path = FileSource.get_uri_for_file_path(folder, source.path)
    place = files.place(path, source.s3_endpoint_override)
    return [(field.name, str(field.type)) for field in place.dataset().schema]
