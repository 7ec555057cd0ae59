"""The pipeline run of one Retraining: started once, looked at until it has ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from driftloop.adapters.kubernetes_objects import Object, Stale
from driftloop.loop import LearningLoop
from driftloop.resources import retraining as retrainings
from driftloop.services.controller.cluster import Cluster
from driftloop.services.controller.run_slots import HELD
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
        if not self._status.get("runId") and (self._claimed(now) or self._waits()):
            return None
        run = self._chosen(now)
        if run is None:
            self._end(_failed("Its pipeline run has vanished."), now)
        elif run.over:
            self._end(self._outcome(run), now)
        return retrainings.outcome(self._status)

    def _chosen(self, now: datetime) -> Any:
        """Return the Retraining's run, started if there is none; None where it has vanished.

        Two may have been started by callers that both were slow. The status names one of them,
        by compare-and-set, and whoever looks ends the others.
        """
        if not self._status.get("runId"):
            # Who writes this starts the run: the API server lets one of several writers through.
            self._note({"phase": "Starting", "started": times.to_text(now)})
        runs = self._cluster.runs.named(*_named(self._retraining))
        if not self._status.get("runId"):
            runs = runs or [self._start()]
            self._note({"phase": "Running", "runId": runs[0].id, "runUrl": runs[0].url})
        for other in runs:
            if other.id != self._status["runId"] and other.state == "running":
                self._cluster.runs.end(other.id)
        return next((run for run in runs if run.id == self._status["runId"]), None)

    def _claimed(self, now: datetime) -> bool:
        """Return whether another caller is starting the run and has not been silent too long."""
        if self._status.get("phase") != "Starting":
            return False
        return now - times.from_text(self._status["started"]) <= CLAIM

    def _waits(self) -> bool:
        """Return whether it has no slot, and none is free."""
        slots, phase = self._cluster.slots, self._status.get("phase")
        return slots is not None and phase not in HELD and not slots.free()

    def _start(self) -> Any:
        metadata = self._retraining["metadata"]
        image = self._loop.spec.image or self._cluster.platform.image
        # The loop as it is declared here, which may not be what its image was built with; by the
        # image's name the bundle can say what made it.
        spec = {**self._spec, "image": image}
        order = replace(retrainings.order(self._retraining), spec=spec)
        parameters = {
            "loop": self._loop.name,
            "store": self._cluster.platform.within(metadata["namespace"]).store,
            "order": order.to_json(),
        }
        return self._cluster.runs.create(*_named(self._retraining), image, parameters)

    def _outcome(self, run: Any) -> Outcome:
        if run.state == "succeeded":
            return self._verdict() or _failed("Its pipeline run left no verdict.")
        # A step that stops the run may have said why, and to which stage the loop goes back.
        stopped = self._verdict() if run.state == "failed" else None
        if stopped and stopped.verdict == "failed":
            return stopped
        return _failed(f"Its pipeline run {run.state}: {run.message or 'no reason given'}.")

    def _verdict(self) -> Outcome | None:
        metadata = self._retraining["metadata"]
        key = outcome.key(self._loop.name, metadata["name"])
        try:
            return outcome.read(self._cluster.store.get(f"{metadata['namespace']}/{key}"))
        except KeyError:
            return None

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
        for run in cluster.runs.named(*_named(retraining)):
            if run.state == "running":
                cluster.runs.end(run.id)


def _named(retraining: Object) -> tuple[str, str]:
    """Return a Retraining's namespace, and the name of its run, which no other one's has."""
    namespace = retraining["metadata"]["namespace"]
    return namespace, f"{namespace}.{retraining['metadata']['name']}"


def _failed(reason: str) -> Outcome:
    return Outcome("failed", "", None, (reason,))
