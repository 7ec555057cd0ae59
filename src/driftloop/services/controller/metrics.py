"""Metrics: what a controller counts about itself, for Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent


class Metrics:
    """A process' own counts: a controller that is killed starts again at zero."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._round = self._gauge(
            "last_round_timestamp_seconds", "When all loops were last looked at."
        )
        self._loops = self._gauge("loops", "LearningLoops by stage.", "stage")
        self._stages: set[str] = set()
        self._failures = self._counter("failures", "Tries that failed and come again.", "kind")
        self._told = self._counter("events", "What was told.", "type", "namespace", "loop")
        self._ended = self._counter(
            "retrainings_ended", "Retrainings by verdict.", "verdict", "namespace", "loop"
        )

    def round_done(self, loops: Sequence[dict[str, Any]], now: datetime) -> None:
        """Take what one look at every LearningLoop found."""
        stages = Counts((loop.get("status") or {}).get("stage", "New") for loop in loops)
        self._stages |= stages.keys()
        for stage in self._stages:
            self._loops.labels(stage).set(stages[stage])
        self._round.set(now.timestamp())

    def failed(self, kind: str) -> None:
        """Count a try at an object of this kind."""
        self._failures.labels(kind).inc()

    def told(self, event: CloudEvent, namespace: str, loop: str) -> None:
        """Count an event of the controller's own, and how a retraining ended."""
        self._told.labels(event.type.rpartition("driftloop.")[2], namespace, loop).inc()
        if event.type == event_types.RETRAINING_ENDED:
            self._ended.labels(str(event.data["verdict"]), namespace, loop).inc()

    def serve(self, port: int) -> None:
        """Answer /metrics on a thread of its own: a busy controller still says that it is busy."""
        start_http_server(port, registry=self.registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(f"driftloop_controller_{name}", documentation, labels, registry=self.registry)

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(
            f"driftloop_controller_{name}", documentation, labels, registry=self.registry
        )
