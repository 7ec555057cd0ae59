"""The offline store that Feast finds by its class path."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.infra.offline_stores.file_source import FileLoggingDestination, FileSource
from feast.infra.offline_stores.offline_store import OfflineStore
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.utils import compute_non_entity_date_range

from driftloop.adapters.feast_asof import files
from driftloop.adapters.feast_asof.entities import EntityRows, instant
from driftloop.adapters.feast_asof.job import AsofRetrievalJob, Times
from driftloop.adapters.feast_asof.join import quoted
from driftloop.adapters.feast_asof.request import Request
from driftloop.adapters.feast_asof.retrieval import Retrieval
from driftloop.adapters.feast_asof.source import Source, schema
from driftloop_contracts.errors import InvalidInput


class AsofOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]
    """Settings of ``offline_store`` in feature_store.yaml.

    ``created_cutoff``: never use a row that was written after the entity row's time.
    ``memory_limit``: of DuckDB, such as "4GB"; beyond it, work is spilled to ``temp_directory``.
    """

    type: Literal["driftloop.adapters.feast_asof.AsofOfflineStore"] = (
        "driftloop.adapters.feast_asof.AsofOfflineStore"
    )
    created_cutoff: bool = False
    memory_limit: str | None = None
    temp_directory: str | None = None
    threads: int | None = None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a connection of its own to a database in memory that fetches no extension."""
        names = ("memory_limit", "temp_directory", "threads")
        given = [(name, getattr(self, name)) for name in names]
        settings = tuple((name, value) for name, value in given if value)
        # A forked process has none of the threads that a database opened before needs.
        return _database(settings, os.getpid()).cursor()


@cache
def _database(settings: tuple[tuple[str, Any], ...], process: int) -> duckdb.DuckDBPyConnection:
    """Open a database, one a ``process``: starting one takes longer than many a join."""
    options = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": False,
    }
    database = duckdb.connect(config=options | dict(settings))
    database.execute("SET GLOBAL TimeZone = 'UTC'")
    return database


class AsofOfflineStore(OfflineStore):  # type: ignore[misc]
    """Feast's offline store over parquet, each join a DuckDB ASOF join."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[Any],
        feature_refs: list[str],
        entity_df: Any,
        registry: Any,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> AsofRetrievalJob:
        """Return the job that joins features to ``entity_df``, or to all rows of a span of time."""
        settings = config.offline_store
        cutoff = settings.created_cutoff or filter_by_created_timestamp
        request = Request(feature_views, feature_refs, full_feature_names)
        retrieval = Retrieval(settings.connect(), config.repo_path, request, cutoff)
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        if entity_df is None:
            span = compute_non_entity_date_range(feature_views, start_date, end_date)
            return retrieval.over(span, on_demand)
        return retrieval.at(EntityRows.of(entity_df), on_demand)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: FileSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> AsofRetrievalJob:
        """Return the job of each entity's newest row in the span, both ends inclusive."""
        keys = _real(join_key_columns)
        newest = [f"{quoted(timestamp_field)} DESC NULLS LAST"]
        if created_timestamp_column:
            newest.append(f"{quoted(created_timestamp_column)} DESC NULLS LAST")
        partition = f"PARTITION BY {', '.join(map(quoted, keys))} " if keys else ""
        first = f"QUALIFY row_number() OVER ({partition}ORDER BY {', '.join(newest)}) = 1"
        if created_timestamp_column and config.offline_store.created_cutoff:
            # As in the join: a row that does not say when it was written was never known.
            first = f"AND {quoted(created_timestamp_column)} IS NOT NULL {first}"
        others = [*feature_name_columns, created_timestamp_column]
        span = (start_date, end_date)
        return _pull(config, data_source, keys, others, timestamp_field, span, first)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: FileSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> AsofRetrievalJob:
        """Return the job of all rows in the span, both ends inclusive."""
        others = [*feature_name_columns, created_timestamp_column]
        span = (start_date, end_date)
        return _pull(config, data_source, _real(join_key_columns), others, timestamp_field, span)

    @staticmethod
    def write_logged_features(
        config: RepoConfig, data: Any, source: Any, logging_config: Any, registry: Any
    ) -> None:
        """Add logged features, a table or a folder of parquet, to their destination as a file."""
        destination = logging_config.destination
        if not isinstance(destination, FileLoggingDestination):
            got = type(destination).__name__
            raise InvalidInput("destination", "logging_config", "a FileLoggingDestination", got)
        table = ds.dataset(data).to_table() if isinstance(data, Path) else data
        path = FileSource.get_uri_for_file_path(config.repo_path, destination.path)
        place = files.place(path, destination.s3_endpoint_override)
        place.add(table, destination.partition_by or ())

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: Any,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Add ``table`` to the view's source as a new file, with the columns that are there."""
        source = feature_view.batch_source
        path = FileSource.get_uri_for_file_path(config.repo_path, source.path)
        place = files.place(path, source.s3_endpoint_override)
        place.add(place.as_there(table, f"feature view '{feature_view.name}'"))
        if progress:
            progress(table.num_rows)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: FileSource
    ) -> list[tuple[str, str]]:
        """Return the columns of a file, a folder or a glob."""
        return schema(data_source, config.repo_path)


def _real(keys: list[str]) -> list[str]:
    return [key for key in keys if key != DUMMY_ENTITY_ID]


def _pull(
    config: RepoConfig,
    data_source: FileSource,
    keys: list[str],
    others: list[str | None],
    timestamp: str,
    span: tuple[datetime | None, datetime | None],
    counts: str = "",
) -> AsofRetrievalJob:
    """Return the job of the rows in ``span`` for which the SQL ``counts`` holds.

    Columns are named as in the files: Feast maps them itself afterwards.
    """
    connection = config.offline_store.connect()
    where = f"source '{data_source.name or data_source.path}'"
    source = Source(connection, data_source, config.repo_path, where, mapping={})
    columns = [name for name in dict.fromkeys([*keys, *others, timestamp]) if name]
    source.needs(columns)
    unit = "ns" if source.fine(timestamp) else "us"
    first, last = (None if moment is None else instant(moment, unit) for moment in span)
    rows = source.select(map(quoted, columns), (first, last), timestamp, unit)

    def finish(table: pa.Table) -> tuple[pa.Table, Times]:
        # In one piece: Feast materializes only the first chunk of a table.
        table = table.combine_chunks()
        if keys:
            return table, {}
        # What Feast keeps the values of a view without entities under.
        everywhere = pa.array([DUMMY_ENTITY_VAL] * len(table))
        return table.append_column(DUMMY_ENTITY_ID, everywhere), {}

    return AsofRetrievalJob(connection, f"{rows} {counts}", finish, config.repo_path)
