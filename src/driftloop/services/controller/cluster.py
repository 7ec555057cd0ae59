"""What the controller on Kubernetes works with, passed to everything that acts."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from driftloop.adapters.kubernetes_objects import Object, Objects, Stale
from driftloop.resources import announcement
from driftloop.resources.serving import Platform
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.object_store import ObjectStore


class Runs(Protocol):
    """The pipeline server, as far as a Retraining needs it."""

    def ensure(self, name: str, image: str, parameters: dict[str, str]) -> Any:
        """Return the run of that name, created if there is none."""

    def find(self, name: str) -> Any:
        """Return the run of that name, or None."""

    def end(self, run_id: str) -> None:
        """End the run."""

    def get(self, run_id: str) -> Any:
        """Return the run, or None where it has vanished."""


@dataclass(frozen=True)
class Cluster:
    """API server, pipeline server, object store, and how loops are served here.

    ``store`` holds one folder a namespace.
    """

    objects: Objects
    runs: Runs
    store: ObjectStore
    platform: Platform

    def tell(self, event: CloudEvent, loop: Object) -> None:
        """Write what happened to ``loop`` as a line of JSON and as a Kubernetes Event."""
        sys.stdout.write(event.to_json().decode() + "\n")
        sys.stdout.flush()
        content = announcement.of(event, loop)
        if content is not None:
            with suppress(Stale):
                self.objects.create("Event", loop["metadata"]["namespace"], content)
