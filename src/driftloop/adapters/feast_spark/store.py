"""The offline store that Feast finds by its class path."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    SparkOfflineStore,
    SparkOfflineStoreConfig,
)
from feast.infra.offline_stores.file_source import FileSource
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import RepoConfig
from feast.utils import compute_non_entity_date_range

from driftloop.adapters.feast_asof import AsofOfflineStore
from driftloop.adapters.feast_asof.entities import EntityRows
from driftloop.adapters.feast_asof.request import Request
from driftloop.adapters.feast_asof.source import schema
from driftloop.adapters.feast_spark.job import AsofSparkRetrievalJob
from driftloop.adapters.feast_spark.pulling import Pull
from driftloop.adapters.feast_spark.retrieval import Retrieval
from driftloop.adapters.feast_spark.session import open_session


class AsofSparkOfflineStoreConfig(SparkOfflineStoreConfig):  # type: ignore[misc]
    """Settings of ``offline_store`` in feature_store.yaml, beside those of Feast's Spark store.

    ``created_cutoff``: never use a row that was written after the entity row's time.
    ``spark_conf``: what the session is started with, if none is active.
    """

    type: Literal["driftloop.adapters.feast_spark.AsofSparkOfflineStore"] = (
        "driftloop.adapters.feast_spark.AsofSparkOfflineStore"
    )
    created_cutoff: bool = False


class AsofSparkOfflineStore(SparkOfflineStore):  # type: ignore[misc]
    """Feast's Spark store over parquet or Spark sources, each join one window per key."""

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
    ) -> AsofSparkRetrievalJob:
        """Return the job that joins features to ``entity_df``, or to all rows of a span of time.

        ``entity_df``: a frame of pandas, whose order is kept; a frame of Spark's or an SQL query,
        whose rows have none.
        """
        settings = config.offline_store
        cutoff = settings.created_cutoff or filter_by_created_timestamp
        request = Request(feature_views, feature_refs, full_feature_names)
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        retrieval = Retrieval(open_session(settings), config, request, on_demand, cutoff)
        if entity_df is None:
            span = compute_non_entity_date_range(feature_views, start_date, end_date)
            return retrieval.over(span)
        if isinstance(entity_df, pd.DataFrame):
            return retrieval.at(EntityRows.of(entity_df))
        return retrieval.of(entity_df)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> AsofSparkRetrievalJob:
        """Return the job of each entity's newest row in the span, both ends inclusive."""
        columns = join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column
        return Pull(config, data_source, *columns).newest(start_date, end_date)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> AsofSparkRetrievalJob:
        """Return the job of all rows in the span, both ends inclusive."""
        columns = join_key_columns, feature_name_columns, timestamp_field, created_timestamp_column
        return Pull(config, data_source, *columns).everything(start_date, end_date)

    @staticmethod
    def write_logged_features(
        config: RepoConfig, data: Any, source: Any, logging_config: Any, registry: Any
    ) -> None:
        """Add logged features, a table or a folder of parquet, to their destination as a file."""
        AsofOfflineStore.write_logged_features(config, data, source, logging_config, registry)

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: Any,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Add ``table`` to the view's source: to a FileSource as a new file, without Spark."""
        files = isinstance(feature_view.batch_source, FileSource)
        store = AsofOfflineStore if files else SparkOfflineStore
        store.offline_write_batch(config, feature_view, table, progress)

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: Any
    ) -> list[tuple[str, str]]:
        """Return the columns of a source, with Arrow's types or with Spark's."""
        if isinstance(data_source, FileSource):
            return schema(data_source, config.repo_path)
        return list(data_source.get_table_column_names_and_types(config))
