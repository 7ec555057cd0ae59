"""The simulator's ad traffic, moved so that it ends yesterday."""

from __future__ import annotations

from typing import Any

import pandas as pd

from driftloop.archive import Archive
from driftloop.laptop.unfolding import Unfolding
from driftloop.traffic import Traffic
from driftloop.usecase import Span, UseCase
from driftloop_contracts.object_store import ObjectStore

DAYS = 20
"""Days of traffic a loop finds in its archive, the last one yesterday."""


def today() -> pd.Timestamp:
    return pd.Timestamp.now(tz="UTC").floor("D")


def stream(case: UseCase) -> Traffic:
    found = case.read(Span(seed=1))
    later = today() - pd.Timedelta(days=DAYS) - found.requests["event_time"].iloc[0].floor("D")
    for frame in (found.requests, found.outcomes):
        for name in frame.columns.intersection(["event_time", "known_time"]):
            frame[name] += later
    return found


def archive(store: ObjectStore, case: UseCase, days: int = DAYS) -> pd.Timestamp:
    """Write what a loop would have seen in its first days into ``store``; return the last one."""
    target, moved = Archive(store, case.loop.name), stream(case)
    unfolding, first = Unfolding(moved), today() - pd.Timedelta(days=DAYS)
    for day in pd.date_range(first, periods=days, freq="D"):
        name = f"{day:%Y-%m-%d}"
        target.put("outcomes", name, _reported(unfolding.advance(day), case))
        span = unfolding.between(day, day + pd.Timedelta(days=1))
        target.put("requests", name, moved.requests.iloc[span])
        history = unfolding.labelled(first, day)
        if len(history):
            for view, rows in case.compute_features(history, day).items():
                target.put_features(view, day, rows)
    return day


def _reported(fresh: pd.DataFrame, case: UseCase) -> pd.DataFrame:
    """Return outcomes among classes as an application reports them, others as they are."""
    if not case.loop.spec.objective.classes:
        return fresh
    named = fresh.rename(columns={"row_id": "prediction_id", "positives": "value"})
    return named.assign(label=case.loop.spec.objective.label)


def instances(case: UseCase, ago: int) -> list[dict[str, Any]]:
    """Return the requests of the day ``ago`` days before today as a predictor's V1 instances."""
    features, requests = case.loop.spec.features, stream(case).requests
    start = today() - pd.Timedelta(days=ago)
    times = requests["event_time"]
    rows = requests[(times >= start) & (times < start + pd.Timedelta(days=1))]
    rows = rows[[*features.entities, *features.names(origin="request"), "weight"]]
    return rows.astype(object).where(rows.notna(), None).to_dict("records")
