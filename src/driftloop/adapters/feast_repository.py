"""One loop's Feast project: feature rows on disk, point-in-time joins, online lookups.

Offline: as-of joins over parquet, by what was known (docs/adr/0011). Online: SQLite, Redis or
Postgres, in which a newer value is never overwritten by an older one (docs/adr/0012).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore, RepoConfig

from driftloop.adapters import feast_definitions, materialization, online_store
from driftloop.adapters import registry as registries
from driftloop.adapters.feature_lookup import FeatureLookup
from driftloop.features import absence
from driftloop.features.found import Found
from driftloop.instants import EPOCH
from driftloop.spec.features import Column
from driftloop.usecase import UseCase
from driftloop_contracts.inference import LOOKED_UP

OFFLINE = "driftloop.adapters.feast_asof.AsofOfflineStore"
JOIN_PART = 4
"""Of a set memory a join gets the one part in so many."""
DTYPES = {"numeric": "float64", "categorical": "object"}


@dataclass(frozen=True)
class Served:
    """The rows of a request with what was looked up for them.

    ``absent``: of each row, the features that no view had a value for that may be used;
    ``columns``: the features that were looked up, as they stand in ``rows``.
    """

    rows: pd.DataFrame
    absent: list[list[str]]
    found: Found
    columns: dict[str, np.ndarray[Any, np.dtype[Any]]]


class FeatureRepository:
    """The Feast project of ``usecase``: registry, and SQLite's online store, in ``folder``.

    ``online``: address of an online store that others read too (online_store.py). ``registry``:
    that of a registry (registry.py) that is told what is defined and materialized. ``memory``:
    bytes of the whole process, of which a join gets a part and spills the rest. What is done
    here goes by the use case's own definitions, whoever changes those that are registered there.
    """

    def __init__(
        self,
        usecase: UseCase,
        folder: Path,
        online: str = "",
        registry: str = "",
        memory: int | None = None,
    ) -> None:
        self.usecase = usecase
        self.features = usecase.loop.spec.features
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.absolute()
        self.store = FeatureStore(config=_config(usecase.name, folder, online, memory=memory))
        self.shared: FeatureStore | None = None
        if registry:
            self.shared = FeatureStore(config=_config(usecase.name, folder, online, registry))
        self.columns = [column for column in self.features.columns if column.origin != "request"]
        self._lookup: FeatureLookup | None = None

    def apply(self, offline: Path, published: str = "") -> None:
        """Register the use case's entities, views and service over the folders ``offline/<view>``.

        ``published``: the address of the same folder for those who use the shared registry.
        """
        here = str(offline.absolute())
        found, where = self.usecase.registered(here), str(self.usecase.folder / "features.py")
        self.store.apply(feast_definitions.require(found, self.features, where))
        if self.shared is not None:
            self.shared.apply(self.usecase.registered(published or here))

    def materialize(self, start: datetime | None, end: datetime) -> int:
        """Copy the feature rows with ``start`` <= event time <= ``end`` to the online store.

        Without a start: those that still count at ``end``, by each view's TTL. Return how many
        rows were written: a run that was killed is resumed, and the same rows are not written
        twice.
        """
        views = [self.store.get_feature_view(name) for name in self.features.views]
        return sum(self._copy(view, start or _counts_from(view, end), end) for view in views)

    def _copy(self, view: Any, start: datetime, end: datetime) -> int:
        written = materialization.copy(self.store, view, start, end)
        if self.shared is not None:
            materialization.record(self.shared, view, start, end)
        return written

    def historical(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return ``rows`` with each feature as it was known at the row's event_time.

        ``rows`` needs ``event_time`` and the entity keys; order and count stay. Numbers are
        float64 with NaN, categories str with None, where no value was known and the column has
        no default.
        """
        times = [f"{view}{LOOKED_UP}" for view in self.features.views]
        return self.joined(rows).drop(columns=times)

    def joined(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return what ``historical`` does, and the event time of what each view gave.

        The times are in ``<view>__event_timestamp``, missing where a view had nothing.
        """
        keys = rows[[*self.features.entities]].assign(event_timestamp=rows["event_time"])
        service = self.store.get_feature_service(self.features.service)
        with _quiet():
            job = self.store.get_historical_features(keys, service)
            joined = job.to_arrow()
        columns = {c.name: _joined(joined[c.name], job.event_times, c) for c in self.columns}
        for view in self.features.views:
            micros = job.event_times[view].combine_chunks()
            times = micros.cast(pa.timestamp("us", "UTC")).to_pandas()
            columns[f"{view}{LOOKED_UP}"] = times.set_axis(rows.index)
        return rows.assign(**columns)

    def ttls(self) -> dict[str, timedelta | None]:
        """Return each view's TTL, None where values never expire."""
        views = map(self.store.get_feature_view, self.features.views)
        return {view.name: view.ttl or None for view in views}

    def online(self, rows: pd.DataFrame, now: datetime) -> Served:
        """Return ``rows`` with their newest features as of ``now``.

        ``rows``: one column per entity, and those of the request. Raise InvalidInput where a
        feature is absent without which the loop does not predict.
        """
        if self._lookup is None:
            self._lookup = FeatureLookup(self.store, self.features.service)
        found = self._lookup.at({str(name): rows[name].tolist() for name in rows}, now)
        values, absent = absence.filled(found, self.columns)
        columns = {c.name: np.array(values[c.name], DTYPES[c.kind]) for c in self.columns}
        # Column by column into one frame: of one row, ``assign`` takes longer than the look-up.
        frame = pd.DataFrame({str(name): rows[name].array for name in rows} | columns, rows.index)
        return Served(frame, absent, found, columns)


def _counts_from(view: Any, end: datetime) -> datetime:
    return end - view.ttl if view.ttl else EPOCH


def _joined(values: pa.ChunkedArray, times: Mapping[str, pa.ChunkedArray], of: Column) -> Any:
    if of.if_absent == "default" and of.origin in times:
        values = pc.if_else(times[of.origin].is_valid(), values, pa.scalar(of.default, values.type))
    if of.kind == "categorical":  # By way of numpy, whole numbers with a null become floats.
        return np.array(values.to_pylist(), object)
    array: Any = values.to_numpy()
    return array.astype("float64")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Feast's progress bars and its libraries' deprecations off the terminal."""
    with Path(os.devnull).open("w") as nowhere, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield


def _config(
    project: str, folder: Path, online: str, registry: str = "", memory: int | None = None
) -> RepoConfig:
    limits = {} if memory is None else _limits(memory, folder)
    return RepoConfig(
        project=project,
        provider="local",
        registry=registries.configuration(registry, folder),
        offline_store={"type": OFFLINE, "created_cutoff": True} | limits,
        online_store=online_store.configuration(online, folder),
        entity_key_serialization_version=3,
        coerce_tz_aware=False,
    )


def _limits(memory: int, folder: Path) -> dict[str, Any]:
    """Return the offline store's settings within ``memory``; each thread has buffers of its own."""
    limit = f"{memory // JOIN_PART >> 20}MiB"
    return {"memory_limit": limit, "temp_directory": str(folder / "spilled"), "threads": 1}
