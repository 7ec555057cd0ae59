"""The pipeline run of one Retraining: started once, looked at until it has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from driftloop.adapters.kubernetes_objects import Object, Stale
from driftloop.loop import LearningLoop
from driftloop.resources import retraining as retrainings
from driftloop.services.controller.cluster import Cluster
from driftloop.training import outcome
from driftloop.training.outcome import Outcome
from driftloop_contracts import times

CLAIM = timedelta(seconds=30)
"""Time one caller has to start a run before another may look for it and start it."""


class PipelineRun:
    """What brings one Retraining from its creation to its end; ``spec``: its loop's, as applied."""

    def __init__(
        self, cluster: Cluster, loop: LearningLoop, spec: Object, retraining: Object
    ) -> None:
        self._cluster, self._loop, self._spec = cluster, loop, spec
        self._retraining = retraining

    @property
    def _status(self) -> Object:
        return self._retraining.get("status") or {}

    def progress(self, now: datetime) -> Outcome | None:
        """Bring the Retraining further; return how it ended, None while it goes on.

        Raises Stale where another caller brought it further meanwhile.
        """
        if self._status.get("phase") == "Ended":
            return retrainings.outcome(self._status)
        if self._status.get("runId"):
            run = self._cluster.runs.get(self._status["runId"])
        elif self._claimed(now):
            return None
        else:
            run = self._start(now)
        if run is None:
            self._end(_failed("Its pipeline run has vanished."), now)
        else:
            self._note({"phase": "Running", "runId": run.id, "runUrl": run.url})
            if run.state != "running":
                self._end(self._outcome(run), now)
        return retrainings.outcome(self._status)

    def _claimed(self, now: datetime) -> bool:
        """Return whether another caller is starting the run and has not been silent too long."""
        if self._status.get("phase") != "Starting":
            return False
        return now - times.from_text(self._status["started"]) <= CLAIM

    def _start(self, now: datetime) -> Any:
        # Who writes this starts the run: the API server lets one of several writers through.
        self._note({"phase": "Starting", "started": times.to_text(now)})
        metadata = self._retraining["metadata"]
        # The loop as it is declared here, which may not be what its image was built with.
        order = replace(retrainings.order(self._retraining), spec=self._spec)
        parameters = {
            "loop": self._loop.name,
            "store": self._cluster.platform.within(metadata["namespace"]).store,
            "order": order.to_json(),
        }
        image = self._loop.spec.image or self._cluster.platform.image
        return self._cluster.runs.ensure(_name(self._retraining), image, parameters)

    def _outcome(self, run: Any) -> Outcome:
        if run.state != "succeeded":
            return _failed(f"Its pipeline run {run.state}: {run.message or 'no reason given'}.")
        try:
            metadata = self._retraining["metadata"]
            key = outcome.key(self._loop.name, metadata["name"])
            return outcome.read(self._cluster.store.get(f"{metadata['namespace']}/{key}"))
        except KeyError:
            return _failed("Its pipeline run left no verdict.")

    def _end(self, found: Outcome, now: datetime) -> None:
        self._note(retrainings.ended(found, self._retraining, now))

    def _note(self, changed: Object) -> None:
        """Write ``changed`` into the status as it was read; raise Stale where it moved on."""
        status = self._status
        while status | changed != status:
            content = self._retraining | {"status": status | changed}
            metadata = content["metadata"]
            try:
                self._retraining = self._cluster.objects.replace_status(
                    "Retraining", metadata["namespace"], content
                )
                return
            except Stale:
                self._retraining = self._cluster.objects.get(
                    "Retraining", metadata["namespace"], metadata["name"]
                )
                # Marks on the object, such as kopf's, are none of this status' business.
                if self._status != status:
                    raise


def abandon(cluster: Cluster, retraining: Object) -> None:
    """End the run of a Retraining that is being deleted, if it has one that goes on."""
    if (retraining.get("status") or {}).get("phase") in ("Starting", "Running"):
        run = cluster.runs.find(_name(retraining))
        if run is not None and run.state == "running":
            cluster.runs.end(run.id)


def _name(retraining: Object) -> str:
    """Return the name of a Retraining's run, which is what makes it one."""
    metadata = retraining["metadata"]
    return f"{metadata['namespace']}.{metadata['name']}"


def _failed(reason: str) -> Outcome:
    return Outcome("failed", "", None, (reason,))
