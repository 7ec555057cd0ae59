"""A feature view of a request, with its source opened and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from feast.repo_config import RepoConfig
from pyspark.sql import DataFrame, SparkSession

from driftloop.adapters.feast_asof.entities import duration
from driftloop.adapters.feast_asof.join import CREATED, EVENT, TIME
from driftloop.adapters.feast_asof.request import Request
from driftloop.adapters.feast_spark.columns import common_type, kinds
from driftloop.adapters.feast_spark.join import Key, View
from driftloop.adapters.feast_spark.source import Source, Span

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Opened:
    """A view and its source; ``keys``, ``features``: its column and the asker's of each."""

    view: Any
    source: Source
    keys: Pairs
    features: Pairs

    @classmethod
    def of(cls, session: SparkSession, config: RepoConfig, request: Request, view: Any) -> Opened:
        """Open the view's source and check that it has what is asked for."""
        batch, where = view.batch_source, f"feature view '{view.name}'"
        mapping = (batch.field_mapping if batch is not None else None) or {}
        source = Source(session, batch, config.repo_path, where, mapping)
        opened = cls(view, source, request.keys(view), request.features(view))
        source.needs(ours for ours, _ in (*opened.keys, *opened.features))
        for name in opened._times():
            source.fine(name)
        return opened

    @property
    def fine(self) -> bool:
        """Whether a timestamp of the view is finer than microseconds."""
        return any(map(self.source.fine, self._times()))

    def moments(self, span: Span, unit: str) -> DataFrame:
        """Return the join keys, as the asker names them, and ``TIME`` of each row in ``span``."""
        event = self.view.batch_source.timestamp_field
        columns = [self.source.value(ours).alias(theirs) for ours, theirs in self.keys]
        columns.append(self.source.instant(event, unit).alias(TIME))
        return self.source.rows(event, span, unit).select(*columns)

    def for_join(self, asked: DataFrame, bounds: Span, unit: str) -> View:
        """Return what the join needs, without rows that are out of ``bounds`` of the times."""
        ttl = duration(self.view.ttl, unit) if self.view.ttl else 0
        first, last = bounds
        # Rows out of these bounds are never a value: in the future of all, or expired for all.
        first = first - ttl if ttl and first is not None else None
        event = self.view.batch_source.timestamp_field
        rows = self.source.rows(event, (first, last), unit).select(*self._columns(unit))
        ours, theirs = kinds(rows), kinds(asked)
        keys = tuple(Key(a, b, common_type(ours[a], theirs[b])) for a, b in self.keys)
        created = bool(self.view.batch_source.created_timestamp_column)
        name = self.view.projection.name_to_use()
        return View(name, rows, keys, self.features, ttl, created)

    def _columns(self, unit: str) -> list[Any]:
        names = dict.fromkeys(ours for ours, _ in (*self.keys, *self.features))
        times = zip(self._times(), (EVENT, CREATED), strict=False)
        instants = [self.source.instant(name, unit).alias(shown) for name, shown in times]
        return [*(self.source.value(name).alias(name) for name in names), *instants]

    def _times(self) -> list[str]:
        batch = self.view.batch_source
        return [name for name in (batch.timestamp_field, batch.created_timestamp_column) if name]
