"""Rows of a source in a span of time, all or each entity's newest, for an online store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.repo_config import RepoConfig
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn

from driftloop.adapters.feast_asof.entities import instant
from driftloop.adapters.feast_asof.join import CREATED, EVENT
from driftloop.adapters.feast_spark import join
from driftloop.adapters.feast_spark.answers import Rows
from driftloop.adapters.feast_spark.columns import column
from driftloop.adapters.feast_spark.job import AsofSparkRetrievalJob
from driftloop.adapters.feast_spark.session import open_session
from driftloop.adapters.feast_spark.source import Source

NEWEST = "__newest"


@dataclass(frozen=True)
class Pull:
    """What to pull, by the columns' names in the source: Feast maps them itself afterwards."""

    config: RepoConfig
    source: Any
    keys: list[str]
    features: list[str]
    timestamp: str
    created: str | None

    def everything(self, first: datetime | None, last: datetime | None) -> AsofSparkRetrievalJob:
        """Return the job of all rows between two times, both inclusive."""
        return self._job(self._rows(first, last))

    def newest(self, first: datetime, last: datetime) -> AsofSparkRetrievalJob:
        """Return the job of each entity's newest row between two times, both inclusive."""
        rows = self._rows(first, last)
        if self.created and self.config.offline_store.created_cutoff:
            # As in the join: a row that does not say when it was written was never known.
            rows = rows.filter(column(CREATED).isNotNull())
        times = [EVENT, *([CREATED] if self.created else [])]
        row = fn.struct(*map(column, self._names()))
        best = fn.max_by(row, join.rank(rows, times, self.features)).alias(NEWEST)
        found = rows.groupBy(*map(column, self._real())).agg(best)
        newest = found.filter(column(NEWEST).isNotNull())
        return self._job(newest.select(f"{NEWEST}.*"))

    def _rows(self, first: datetime | None, last: datetime | None) -> DataFrame:
        """Return the rows in the span, with their times as integers too."""
        where = f"source '{self.source.name or self.source.path}'"
        session = open_session(self.config.offline_store)
        source = Source(session, self.source, self.config.repo_path, where, mapping={})
        source.needs(self._names())
        unit = "ns" if source.fine(self.timestamp) else "us"
        span = _instant(first, unit), _instant(last, unit)
        columns = [source.value(name).alias(name) for name in self._names()]
        columns.append(source.instant(self.timestamp, unit).alias(EVENT))
        if self.created:
            columns.append(source.instant(self.created, unit).alias(CREATED))
        return source.rows(self.timestamp, span, unit).select(*columns)

    def _job(self, rows: DataFrame) -> AsofSparkRetrievalJob:
        frame = rows.select(*map(column, self._names()))
        if not self._real():
            # What Feast keeps the values of a view without entities under.
            frame = frame.withColumn(DUMMY_ENTITY_ID, fn.lit(DUMMY_ENTITY_VAL))
        return AsofSparkRetrievalJob(frame.sparkSession, self.config, Rows(frame))

    def _real(self) -> list[str]:
        return [key for key in self.keys if key != DUMMY_ENTITY_ID]

    def _names(self) -> list[str]:
        names = [*self._real(), *self.features, self.created, self.timestamp]
        return [name for name in dict.fromkeys(names) if name]


def _instant(moment: datetime | None, unit: str) -> int | None:
    return None if moment is None else instant(moment, unit)
