"""What Feast asked for, run when its result is wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import FileSource
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata

from driftloop.adapters.feast_asof import files

Times = dict[str, pa.ChunkedArray]
"""Of each view, the event times of the rows that were joined, in microseconds since 1970."""


class AsofRetrievalJob(RetrievalJob):  # type: ignore[misc]
    """A query on a DuckDB connection of its own, with what comes after it.

    ``finish``: makes the caller's table, and the times, of the query's result. ``folder``: what
    paths are relative to. ``event_times``: those of the latest result, null where a view has no
    row that counts, which is how it is told from a row whose value is null.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        query: str,
        finish: Callable[[pa.Table], tuple[pa.Table, Times]],
        folder: Any,
        metadata: RetrievalMetadata | None = None,
        on_demand: tuple[Any, ...] = (),
        full_feature_names: bool = False,
    ) -> None:
        super().__init__()
        self._connection, self._query, self._finish = connection, query, finish
        self._folder, self._metadata = folder, metadata
        self._on_demand, self._full_feature_names = on_demand, full_feature_names
        self.event_times: Times = {}

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        with _limited(self._connection, timeout):
            table, self.event_times = self._finish(
                self._connection.sql(self._query).to_arrow_table()
            )
        return table

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return frame

    def to_sql(self) -> str:
        """Return the query in DuckDB's SQL, over the views that this job made."""
        return self._query

    @property
    def full_feature_names(self) -> bool:
        """Whether features are named ``view__feature``."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[Any]:
        """The on-demand views that Feast computes on the result."""
        return list(self._on_demand)

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """What was asked for."""
        return self._metadata

    def persist(
        self, storage: Any, allow_overwrite: bool = False, timeout: int | None = None
    ) -> None:
        """Write the result as a saved dataset."""
        source = storage.to_data_source()
        path = FileSource.get_uri_for_file_path(self._folder, source.path)
        place = files.place(path, source.s3_endpoint_override)
        if place.parquet() and not allow_overwrite:
            raise SavedDatasetLocationAlreadyExists(location=source.path)
        place.replace(self.to_arrow(timeout=timeout))


@contextmanager
def _limited(connection: duckdb.DuckDBPyConnection, seconds: int | None) -> Any:
    """Interrupt the connection's query after ``seconds``; None is without end."""
    timer = threading.Timer(seconds, connection.interrupt) if seconds else None
    if timer:
        timer.start()
    try:
        yield
    finally:
        if timer:
            timer.cancel()
