"""Settled: a stream's rows that are mature at its end and have a label, as trainings have them."""

from __future__ import annotations

import pandas as pd

from driftloop.labels import join
from driftloop.labels.join import Joined
from driftloop.traffic import Traffic
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput


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
