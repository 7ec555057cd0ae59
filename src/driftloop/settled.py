"""Settled: a stream's rows that are mature at its end and have a label, as trainings have them.

Unlike a replay nothing is served: each midnight's feature rows are computed from what was known
then, and joined as of each row.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from driftloop.archive import Archive
from driftloop.labels import join
from driftloop.labels.join import Joined
from driftloop.laptop.unfolding import Unfolding
from driftloop.traffic import Traffic
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import FileStore

DAY = pd.Timedelta(days=1)
MOST_ROWS = 200_000
"""The newest labelled rows that are joined: more would not change a curve of their parts."""


def rows(case: UseCase, traffic: Traffic) -> Joined:
    """Return the stream's rows, called ``prediction_id``, with their label; the younger have none.

    Without an outcome a mature row is left out or is a negative, as its label source says. Raise
    InvalidInput for a stream without rows.
    """
    if traffic.requests.empty:
        raise InvalidInput("the traffic", f"use case {case.name}", "one or more rows", "none")
    source, classes = case.loop.spec.label_source, case.loop.spec.objective.classes
    records = traffic.requests.rename(columns={"row_id": "prediction_id"})
    names = {"row_id": "prediction_id", "positives": "value"}
    reports = traffic.outcomes.rename(columns=names).assign(label=source.name)
    if classes:
        reports = reports.assign(value=1.0)  # Which of them it is tells its category.
    return join.join(records, reports, source, end(traffic).to_pydatetime(), classes)


def end(traffic: Traffic) -> pd.Timestamp:
    """Return the last instant that anything of the stream is known of."""
    times = [traffic.requests["event_time"].max(), traffic.outcomes["known_time"].max()]
    latest: pd.Timestamp = max(time for time in times if not pd.isna(time))
    return latest


def in_window(case: UseCase, traffic: Traffic) -> tuple[pd.DataFrame, float]:
    """Return the rows of the training window with a label at the end of ``traffic``.

    And the share of all mature rows that have one.
    """
    found = rows(case, traffic)
    mature = found.coverage.records - found.coverage.immature
    start = end(traffic) - case.loop.spec.training.window
    kept = found.rows[found.rows["event_time"] >= start]
    return kept.reset_index(drop=True), len(found.rows) / max(1, mature)


def joined(
    case: UseCase, traffic: Traffic, labelled: pd.DataFrame, most: int = MOST_ROWS
) -> pd.DataFrame:
    """Return the newest ``most`` of ``labelled`` with the features known at each one's time."""
    newest = labelled.tail(most).reset_index(drop=True)
    if not case.loop.spec.features.views or newest.empty:
        return newest
    # Feast takes seconds to import: a use case without looked-up features need not pay for it.
    from driftloop.adapters.feast_repository import FeatureRepository

    with tempfile.TemporaryDirectory() as scratch:
        archive = Archive(FileStore(Path(scratch) / "store"), case.loop.name)
        _compute(case, traffic, newest, archive)
        repository = FeatureRepository(case, Path(scratch) / "feast")
        repository.apply(archive.feature_folder(Path(scratch)))
        return repository.historical(newest)


def _compute(case: UseCase, traffic: Traffic, asked: pd.DataFrame, archive: Archive) -> None:
    """Write the feature rows of each midnight that ``asked`` may look up, as known then."""
    unfolding, window = Unfolding(traffic), case.loop.spec.training.window
    first, last = asked["event_time"].min().floor("D") - DAY, asked["event_time"].max().floor("D")
    for day in pd.date_range(first, last, freq="D"):
        unfolding.advance(day)
        history = unfolding.labelled(day - window, day)
        if len(history):
            for view, found in case.compute_features(history, day).items():
                archive.put_features(view, day.to_pydatetime(), found)
