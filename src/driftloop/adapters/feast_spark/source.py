"""The rows of a Feast source, with instants as integers of one unit."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as fn

from driftloop import instants
from driftloop.adapters.feast_spark import reading
from driftloop.adapters.feast_spark.columns import column, floored, kinds, microseconds, type_name
from driftloop_contracts.errors import InvalidInput

TIMESTAMPS = ("TIMESTAMP", "DATE")
"""How the types of a point in time begin; one without a zone counts as UTC."""
Span = tuple[int | None, int | None]
"""The first and the last instant, both inclusive; None is open."""


class Source:
    """The rows of ``source`` in a Spark session, its columns renamed by ``mapping``.

    ``where``: what an error says of the source. ``types``: of each column, by DuckDB's names.
    """

    def __init__(
        self,
        session: SparkSession,
        source: Any,
        folder: Any,
        where: str,
        mapping: Mapping[str, str],
    ) -> None:
        frame, nanoseconds = reading.read(session, source, folder, where)
        names = {name: mapping.get(name, name) for name in frame.columns}
        self.where, self._told = where, getattr(source, "path", None) or source.name
        self.frame = frame.select([column(a).alias(b) for a, b in names.items()])
        self._fine = {names[name] for name in nanoseconds}
        self.types = {name: type_name(kind) for name, kind in kinds(self.frame).items()}
        self.types |= dict.fromkeys(self._fine, "TIMESTAMP_NS")
        self._partition, self._day = self._partitioned(source, mapping)

    def _partitioned(self, source: Any, mapping: Mapping[str, str]) -> tuple[str, str]:
        """Return the column of the date partitions, and how a day is written in it; or none."""
        named = source.date_partition_column or ""
        day = getattr(source, "date_partition_column_format", None) or ""
        if not named or not _in_order(day):
            return "", ""
        name = mapping.get(named, named)
        self.needs([name])
        return name, day

    def needs(self, columns: Iterable[str]) -> None:
        """Raise InvalidInput for the first of ``columns`` that the source does not have."""
        for name in columns:
            if name not in self.types:
                have = f"one of {sorted(self.types)}"
                raise InvalidInput("column", f"{self.where}, {self._told}", have, name)

    def fine(self, name: str) -> bool:
        """Return whether the timestamps in a column are finer than microseconds."""
        self.needs([name])
        if not self.types[name].startswith(TIMESTAMPS):
            raise InvalidInput(f"column '{name}'", self.where, "timestamps", self.types[name])
        return name in self._fine

    def value(self, name: str) -> Column:
        """Return a column as a caller sees it: nanoseconds as the timestamps that Spark has."""
        shown = column(name)
        return fn.timestamp_micros(floored(shown)) if name in self._fine else shown

    def instant(self, name: str, unit: str) -> Column:
        """Return timestamps as integers of ``unit`` ("us" or "ns") since 1970."""
        if self.fine(name):
            return column(name) if unit == "ns" else floored(column(name))
        found = microseconds(column(name))
        return found * 1000 if unit == "ns" else found

    def rows(self, event: str, span: Span, unit: str) -> DataFrame:
        """Return the rows with ``event`` in ``span``, integers of ``unit``."""
        frame, shown = self.frame, column(event)
        shown = shown.cast("timestamp") if self.types[event] == "DATE" else shown
        for bound, within in zip(span, (operator.ge, operator.le), strict=True):
            if bound is None:
                continue
            # Compared in the column's own type, by which parquet skips row groups.
            frame = frame.filter(within(shown, self._moment(event, bound, unit)))
            if self._partition:
                day = _day(_microsecond(bound, unit), self._day)
                frame = frame.filter(within(column(self._partition), fn.lit(day)))
        return frame

    def _moment(self, event: str, instant: int, unit: str) -> Column:
        if self.fine(event):
            return fn.lit(instant)
        moment = fn.timestamp_micros(fn.lit(_microsecond(instant, unit)))
        return moment.cast("timestamp_ntz") if self.types[event] == "TIMESTAMP_NTZ" else moment


def _microsecond(instant: int, unit: str) -> int:
    """Return the microsecond that an instant lies in.

    >>> _microsecond(-1, "ns"), _microsecond(7, "us")
    (-1, 7)
    """
    return instant // 1000 if unit == "ns" else instant


def _day(microsecond: int, written: str) -> str:
    """Return the name of the date partition that an instant lies in.

    >>> _day(-1, "%Y%m%d")
    '19691231'
    """
    return instants.moment(microsecond).strftime(written)


def _in_order(written: str) -> bool:
    """Return whether days written so sort as they follow each other; others would lose rows.

    >>> _in_order("%Y-%m-%d"), _in_order("%Y%m"), _in_order("%d.%m.%Y"), _in_order("")
    (True, True, False, False)
    """
    parts = re.findall("%(.)", written)
    return bool(parts) and parts == ["Y", "m", "d"][: len(parts)]
