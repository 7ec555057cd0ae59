"""One loop's Feast project: feature rows on disk, point-in-time joins, online lookups.

Offline: as-of joins over parquet, by what was known (docs/adr/0011). Online: Feast's SQLite or
Redis store.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from feast import FeatureStore, RepoConfig

from driftloop.adapters import online_store
from driftloop.loop import Column
from driftloop.usecase import UseCase

OFFLINE = "driftloop.adapters.feast_asof.AsofOfflineStore"


class FeatureRepository:
    """The Feast project of ``usecase``: registry, and SQLite's online store, in ``folder``.

    ``online``: address of an online store that others read too (online_store.py).
    """

    def __init__(self, usecase: UseCase, folder: Path, online: str = "") -> None:
        self.usecase = usecase
        self.features = usecase.loop.spec.features
        folder.mkdir(parents=True, exist_ok=True)
        self.store = FeatureStore(config=_config(usecase.name, folder.absolute(), online))
        self._service: Any = None

    def apply(self, offline: Path) -> None:
        """Register the use case's entities, views and service over ``offline/<view>/*.parquet``."""
        paths = {view: str(offline.absolute() / view / "*.parquet") for view in self.features.views}
        self.store.apply(self.usecase.feast_objects(paths))

    def materialize(self, start: datetime, end: datetime) -> None:
        """Copy the feature rows with ``start`` < event time <= ``end`` to the online store."""
        with _quiet():
            self.store.materialize(start, end, feature_views=self.features.views)

    def historical(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return ``rows`` with each feature as it was known at the row's event_time.

        ``rows`` needs ``event_time`` and the entity keys; order and count stay. Numbers are
        float64 with NaN, categories str with None where no value was known.
        """
        keys = rows[[*self.features.entities]].assign(event_timestamp=rows["event_time"])
        with _quiet():
            joined = self.store.get_historical_features(keys, self._feature_service()).to_arrow()
        return rows.assign(**{c.name: _values(joined[c.name], c.kind) for c in self._columns()})

    def online(self, keys: pd.DataFrame) -> pd.DataFrame:
        """Return the newest feature values of each row of ``keys``; NaN where there is none.

        ``keys``: one int64 column per entity. Equal rows are looked up once.
        """
        distinct = keys.drop_duplicates()
        entities = {name: distinct[name].tolist() for name in self.features.entities}
        found = self.store.get_online_features(self._feature_service(), entities).to_dict()
        values = pd.DataFrame({name: found[name] for name in self._names()}, dtype="float64")
        places = pd.MultiIndex.from_frame(distinct).get_indexer(pd.MultiIndex.from_frame(keys))
        return values.iloc[np.asarray(places)].set_axis(keys.index)

    def _feature_service(self) -> Any:
        # Looked up once: a process serves one bundle, hence one version of the service.
        if self._service is None:
            self._service = self.store.get_feature_service(self.features.service)
        return self._service

    def _names(self) -> list[str]:
        return [column.name for column in self._columns()]

    def _columns(self) -> list[Column]:
        return [column for column in self.features.columns if column.origin != "request"]


def _values(column: pa.ChunkedArray, kind: str) -> Any:
    if kind == "categorical":
        return column.cast(pa.string()).to_pandas().astype(object).where(column.is_valid(), None)
    return column.cast(pa.float64()).to_pandas().to_numpy()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Feast's progress bars and its libraries' deprecations off the terminal."""
    with Path(os.devnull).open("w") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield


def _config(project: str, folder: Path, online: str) -> RepoConfig:
    return RepoConfig(
        project=project,
        provider="local",
        registry=str(folder / "registry.db"),
        offline_store={"type": OFFLINE, "created_cutoff": True},
        online_store=online_store.configuration(online, folder),
        entity_key_serialization_version=3,
        coerce_tz_aware=False,
    )
