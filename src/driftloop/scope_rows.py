"""Scope rows: a stream's labelled rows with point-in-time features, as a training would have them.

Unlike a replay nothing is served: each midnight's feature rows are computed from what was known
then, and joined as of each row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from driftloop import settled
from driftloop.archive import Archive
from driftloop.laptop.unfolding import Unfolding
from driftloop.traffic import Traffic
from driftloop.usecase import UseCase
from driftloop_contracts.object_store import FileStore

MOST_ROWS = 200_000
"""The newest labelled rows that are joined: more would not change a curve of their parts."""
Step = Callable[[], None]


def labelled(case: UseCase, traffic: Traffic) -> tuple[pd.DataFrame, float]:
    """Return the rows of the training window with a label at the end of ``traffic``.

    And the share of all mature rows that have one.
    """
    found = settled.rows(case, traffic)
    mature = found.coverage.records - found.coverage.immature
    start = settled.end(traffic) - case.loop.spec.training.window
    rows = found.rows[found.rows["event_time"] >= start]
    return rows.reset_index(drop=True), len(found.rows) / max(1, mature)


def joined(
    case: UseCase, traffic: Traffic, rows: pd.DataFrame, step: Step = lambda: None
) -> pd.DataFrame:
    """Return the newest ``MOST_ROWS`` of ``rows`` with the features known at each one's time."""
    rows = rows.tail(MOST_ROWS).reset_index(drop=True)
    if not case.loop.spec.features.views or rows.empty:
        return rows
    # Feast takes seconds to import: a use case without looked-up features need not pay for it.
    from driftloop.adapters.feast_repository import FeatureRepository

    with tempfile.TemporaryDirectory() as scratch:
        archive = Archive(FileStore(Path(scratch) / "store"), case.loop.name)
        _compute(case, traffic, rows, archive, step)
        repository = FeatureRepository(case, Path(scratch) / "feast")
        repository.apply(archive.feature_folder(Path(scratch)))
        return repository.historical(rows)


def _compute(
    case: UseCase, traffic: Traffic, rows: pd.DataFrame, archive: Archive, step: Step
) -> None:
    """Write each midnight's feature rows, from what was known then."""
    unfolding, window = Unfolding(traffic), case.loop.spec.training.window
    first, last = rows["event_time"].min().floor("D"), rows["event_time"].max()
    for day in pd.date_range(first, last, freq="D"):
        unfolding.advance(day)
        history = unfolding.labelled(day - window, day)
        if len(history):
            for view, found in case.compute_features(history, day).items():
                archive.put_features(view, day.to_pydatetime(), found)
        step()
