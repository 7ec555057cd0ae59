"""What the controller on Kubernetes works with, passed to everything that acts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from driftloop.adapters.kubernetes_objects import Object, Objects, Stale
from driftloop.resources import announcement
from driftloop.resources.platform import Platform
from driftloop.services.controller import pod_counters
from driftloop.services.controller.health import Health
from driftloop.services.controller.metrics import Metrics
from driftloop.services.controller.run_slots import RunSlots
from driftloop.services.controller.schedules import Schedules
from driftloop.services.controller.unsettled import Unsettled
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.object_store import ObjectStore


class Runs(Protocol):
    """The pipeline server, as far as a Retraining needs it."""

    def create(self, namespace: str, name: str, image: str, parameters: dict[str, str]) -> Any:
        """Return a new run of that name."""

    def named(self, namespace: str, name: str) -> Sequence[Any]:
        """Return the runs of that name."""

    def end(self, run_id: str) -> None:
        """End the run, if it goes on."""


@dataclass(frozen=True)
class Cluster:
    """API server, pipeline server, object store, and how loops are served here.

    ``store`` holds one folder a namespace; ``slots``: for pipeline runs (None: no limit); ``ask``:
    reads a pod's status; ``unsettled``: loops whose bundle changes now; ``schedules``: their jobs.
    """

    objects: Objects
    runs: Runs
    store: ObjectStore
    platform: Platform
    metrics: Metrics = field(default_factory=Metrics)
    health: Health = field(default_factory=Health)
    slots: RunSlots | None = None
    ask: pod_counters.Ask = pod_counters.ask
    unsettled: Unsettled = field(default_factory=Unsettled)
    schedules: Schedules = field(default_factory=Schedules)

    def tell(self, event: CloudEvent, loop: Object) -> None:
        """Write what happened to ``loop`` as a line of JSON and a Kubernetes Event; count it.

        It may be told again after a kill or by another replica: it has one Event, and counts once.
        """
        sys.stdout.write(event.to_json().decode() + "\n")
        sys.stdout.flush()
        metadata, content = loop["metadata"], announcement.of(event, loop)
        if content is None:
            return
        try:
            self.objects.create("Event", metadata["namespace"], content)
        except Stale:
            return
        self.metrics.told(event, metadata["namespace"], metadata["name"])
