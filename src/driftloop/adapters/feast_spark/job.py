"""What Feast asked for, as a Spark frame that is computed when its rows are wanted."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.contrib.spark_offline_store.spark import SparkRetrievalJob
from feast.infra.offline_stores.file_source import FileSource, SavedDatasetFileStorage
from feast.infra.offline_stores.offline_store import RetrievalMetadata
from feast.repo_config import RepoConfig
from pyspark.sql import DataFrame, SparkSession

from driftloop.adapters.feast_asof import files
from driftloop.adapters.feast_asof.job import Times
from driftloop.adapters.feast_spark import reading
from driftloop.adapters.feast_spark.answers import Answer
from driftloop_contracts.errors import InvalidInput


class AsofSparkRetrievalJob(SparkRetrievalJob):  # type: ignore[misc]
    """Feast's own job, with its query replaced by an answer.

    ``event_times``: of the latest collected result, null where no row counts.
    """

    def __init__(
        self,
        session: SparkSession,
        config: RepoConfig,
        answer: Answer,
        metadata: RetrievalMetadata | None = None,
        on_demand: list[Any] | None = None,
        full_feature_names: bool = False,
    ) -> None:
        super().__init__(session, "", full_feature_names, config, on_demand, metadata)
        self._answer, self._folder = answer, config.repo_path
        self.event_times: Times = {}

    def to_spark_df(self) -> DataFrame:
        """Return the rows where they are; on-demand features are not among them."""
        return self._answer.frame()

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        table, self.event_times = self._answer.collect()
        return table

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return frame

    def persist(
        self, storage: Any, allow_overwrite: bool = False, timeout: int | None = None
    ) -> None:
        """Write the result as a saved dataset: what is in Spark, by the executors.

        A dataset that they overwrite is away while the new one is written.
        """
        if isinstance(storage, SavedDatasetFileStorage):
            self._to_files(storage.to_data_source(), allow_overwrite, timeout)
        elif self.on_demand_feature_views:
            allowed = "a SavedDatasetFileStorage for on-demand features"
            raise InvalidInput("storage", "the dataset", allowed, type(storage).__name__)
        else:
            super().persist(storage, allow_overwrite, timeout)

    def _to_files(self, source: FileSource, allow_overwrite: bool, timeout: int | None) -> None:
        path = FileSource.get_uri_for_file_path(self._folder, source.path)
        place = files.place(path, source.s3_endpoint_override)
        if place.parquet() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=source.path)
        if self._answer.in_memory or self.on_demand_feature_views:
            place.replace(self.to_arrow(timeout=timeout))
        else:
            self.to_spark_df().write.mode("overwrite").parquet(reading.uri(place, place.path))
