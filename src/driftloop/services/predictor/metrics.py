"""Metrics: what lookups found and what became of records, on KServe's own /metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd
from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from driftloop.features.found import Found
from driftloop_contracts import text

LOOKUPS = Counter(
    "driftloop_feature_lookups",
    "Rows looked up in a feature view: present, expired (older than its TTL), missing, early.",
    ["view", "status"],
)

BOUNDED = Counter(
    "driftloop_texts_at_bound",
    f"Texts of {text.MOST:,} characters or more, of which no more is read.",
    ["column"],
)


def count_texts(rows: pd.DataFrame, columns: Sequence[str]) -> None:
    """Count the texts of one request that were cut, or only just fit."""
    for column in columns:
        BOUNDED.labels(column).inc(sum(len(value or "") >= text.MOST for value in rows[column]))


def count(found: Found) -> None:
    """Count what one request's rows found in each view."""
    for (view, status), rows in found.counts().items():
        LOOKUPS.labels(view, str(status)).inc(rows)


class Records(Collector):
    """The recorder's counts; ``status`` gives them as GET /driftloop/status does."""

    def __init__(self, status: Callable[[], Mapping[str, int]]) -> None:
        self._status = status

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield driftloop_records_total, and driftloop_records_dropped_total by reason."""
        told = self._status()
        rows = CounterMetricFamily("driftloop_records", "Rows served.")
        rows.add_metric([], told["rows"])
        yield rows
        dropped = CounterMetricFamily(
            "driftloop_records_dropped",
            "Rows that did not reach the sidecar: no room (full), refused or unanswered (failed).",
            labels=["reason"],
        )
        dropped.add_metric(["full"], told["dropped_rows"])
        dropped.add_metric(["failed"], told["failed_rows"])
        yield dropped
