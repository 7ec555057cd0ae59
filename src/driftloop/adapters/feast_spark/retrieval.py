"""A request for features as of many times, in one Spark session."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from feast.infra.offline_stores.offline_store import RetrievalMetadata
from feast.repo_config import RepoConfig
from pyspark.sql import DataFrame, SparkSession

from driftloop.adapters.feast_asof.entities import WHERE, EntityRows, instant
from driftloop.adapters.feast_asof.join import TIME
from driftloop.adapters.feast_asof.keys import aligned
from driftloop.adapters.feast_asof.request import Request
from driftloop.adapters.feast_spark.answers import Answer, OfMemory, OfSpark
from driftloop.adapters.feast_spark.entities import SparkRows, plain
from driftloop.adapters.feast_spark.job import AsofSparkRetrievalJob
from driftloop.adapters.feast_spark.joined import Joined
from driftloop.adapters.feast_spark.opened import Opened
from driftloop.adapters.feast_spark.source import Span
from driftloop_contracts.errors import InvalidInput


class Retrieval:
    """The sources of a request, each opened and checked; ``on_demand``: Feast's further views."""

    def __init__(
        self,
        session: SparkSession,
        config: RepoConfig,
        request: Request,
        on_demand: list[Any],
        cutoff: bool,
    ) -> None:
        self._session, self._config = session, config
        self._request, self._on_demand, self._cutoff = request, on_demand, cutoff
        self._opened = [Opened.of(session, config, request, view) for view in request.views]

    def at(self, entities: EntityRows) -> AsofSparkRetrievalJob:
        """Return the job of the features that were known at each row of the caller's frame."""
        names, unit = entities.table.column_names, self._unit(entities.fine)
        keys = plain(self._aligned(entities.keys(self._request.all_keys(), unit)))
        bounds = pc.min_max(keys[TIME]).as_py()
        rows = self._session.createDataFrame(keys.slice(length=0))
        joined = self._joined(rows, (bounds["min"], bounds["max"]), unit, names)
        answer = OfMemory(self._session, joined, entities, keys)
        return self._job(answer, names, entities.time, entities.span())

    def of(self, asked: Any) -> AsofSparkRetrievalJob:
        """Return the job of the features that were known at each row of a query or a frame."""
        rows = SparkRows.of(self._session, asked, self._unit(fine=False))
        self._aligned(rows.keys(self._request.all_keys()))
        return self._in_spark(rows)

    def over(self, span: tuple[datetime, datetime]) -> AsofSparkRetrievalJob:
        """Return the job of the features at each (join keys, time) of a feature row in ``span``."""
        keys, unit = self._request.all_keys(), self._unit(fine=False)
        first, last = (instant(moment, unit) for moment in span)
        parts = [opened.moments((first, last), unit) for opened in self._with(keys)]
        moments = reduce(DataFrame.unionByName, parts).distinct()
        return self._in_spark(SparkRows.over(moments, unit, (first, last)), (TIME, *keys))

    def _with(self, keys: list[str]) -> list[Opened]:
        """Return the views with ``keys``, which are all but those with a value for any row."""
        found = [opened for opened in self._opened if opened.keys] or self._opened
        for opened in found:
            if {theirs for _, theirs in opened.keys} != set(keys):
                allowed = "the same for all views, or an entity_df given"
                raise InvalidInput("join keys", opened.source.where, allowed, dict(opened.keys))
        return found

    def _in_spark(self, rows: SparkRows, order: tuple[str, ...] = ()) -> AsofSparkRetrievalJob:
        joined = self._joined(rows.frame, rows.bounds, rows.unit, rows.names)
        return self._job(OfSpark(joined, rows, order), rows.names, rows.time, rows.span())

    def _joined(self, rows: DataFrame, bounds: Span, unit: str, names: list[str]) -> Joined:
        """Return the join to ``rows``; raise InvalidInput for a feature they have a column of."""
        views = [opened.for_join(rows, bounds, unit) for opened in self._opened]
        joined = Joined(views, self._cutoff, unit)
        for feature in joined.features:
            if feature in names:
                raise InvalidInput("feature", "the request", f"no column of {WHERE}", feature)
        return joined

    def _aligned(self, keys: pa.Table) -> pa.Table:
        for opened in self._opened:
            keys = aligned(keys, opened.keys, opened.source)  # type: ignore[arg-type]
        return keys

    def _unit(self, fine: bool) -> str:
        """Return the finest unit that a timestamp of the request needs."""
        return "ns" if fine or any(opened.fine for opened in self._opened) else "us"

    def _job(
        self, answer: Answer, names: list[str], time: str, span: tuple[Any, Any]
    ) -> AsofSparkRetrievalJob:
        others = [name for name in names if name != time]
        metadata = RetrievalMetadata(self._request.references, others, *span)
        full = self._request.full_names
        return AsofSparkRetrievalJob(
            self._session, self._config, answer, metadata, self._on_demand, full
        )
