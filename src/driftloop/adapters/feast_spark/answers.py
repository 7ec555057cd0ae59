"""The result of a request: in Spark as a plan, in memory as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from driftloop.adapters.feast_asof.entities import EntityRows
from driftloop.adapters.feast_asof.job import Times
from driftloop.adapters.feast_asof.join import ROW, TIME
from driftloop.adapters.feast_spark.entities import SparkRows, plain
from driftloop.adapters.feast_spark.joined import Joined


class Answer(Protocol):
    """A result, computed each time that it is wanted."""

    @property
    def in_memory(self) -> bool:
        """Whether its rows came from memory, so that they fit in there."""

    def frame(self) -> DataFrame:
        """Return it in Spark."""

    def collect(self) -> tuple[pa.Table, Times]:
        """Return it in memory, and of each view the times of the rows that counted."""


@dataclass(frozen=True)
class OfMemory:
    """The features of rows that came from memory, in their order, with their columns as they are.

    ``keys``: of the rows, with ``TIME`` and ``ROW``.
    """

    session: SparkSession
    joined: Joined
    entities: EntityRows
    keys: pa.Table
    in_memory = True

    def frame(self) -> DataFrame:
        """Return the rows in Spark, with all of their columns."""
        table = plain(self.entities.table).append_column(TIME, self.keys[TIME])
        rows = self.session.createDataFrame(table.append_column(ROW, self.keys[ROW]))
        names = [*self.entities.table.column_names, *self.joined.features]
        return self.joined.to(rows, names, order=[ROW])

    def collect(self) -> tuple[pa.Table, Times]:
        """Return the caller's table with the features after it, and their times."""
        # Only keys go to Spark; the caller's other columns wait here.
        rows = self.session.createDataFrame(self.keys)
        shown = [ROW, *self.joined.events, *self.joined.features]
        result = self.joined.to(rows, shown).toArrow().sort_by(ROW)
        self.joined.tell(self.session, result, self.keys)
        table = self.entities.with_features(result.select(self.joined.features))
        return table, self.joined.times(result)


@dataclass(frozen=True)
class OfSpark:
    """The features of rows that are in Spark; ``order``: the columns a table is sorted by."""

    joined: Joined
    rows: SparkRows
    order: Sequence[str] = ()
    in_memory = False

    def frame(self) -> DataFrame:
        """Return the rows in Spark, in no order."""
        return self.joined.to(self.rows.frame, self._shown())

    def collect(self) -> tuple[pa.Table, Times]:
        """Return the rows and the times of their features."""
        shown = [*self._shown(), *self.joined.events]
        table = self.joined.to(self.rows.frame, shown, self.order).toArrow()
        return table.select(self._shown()), self.joined.times(table)

    def _shown(self) -> list[str]:
        return [*self.rows.names, *self.joined.features]


@dataclass(frozen=True)
class Rows:
    """The rows of a frame, as they are."""

    rows: DataFrame
    in_memory = False

    def frame(self) -> DataFrame:
        """Return them in Spark."""
        return self.rows

    def collect(self) -> tuple[pa.Table, Times]:
        """Return them in one piece: Feast materializes only the first chunk of a table."""
        return self.rows.toArrow().combine_chunks(), {}
