"""One loop on Kubernetes: its objects read, decided on, and made so.

Every call may run twice, in two replicas, or after a kill: names are deterministic, the ledger is
written by compare-and-set, and what serves is applied from the ledger's champion, not from what
happened last.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from driftloop import decisions
from driftloop import loop as loops
from driftloop.adapters.kubernetes_ledger import KubernetesLedger
from driftloop.adapters.kubernetes_objects import Absent, Object, Stale
from driftloop.adapters.unavailable import Unavailable
from driftloop.cohorts import order as orders
from driftloop.loop import LearningLoop
from driftloop.resources import cohort_job, serving
from driftloop.resources import retraining as retrainings
from driftloop.resources.platform import KNATIVE
from driftloop.rollout.arm import Arm
from driftloop.services.controller.cluster import Cluster
from driftloop.services.controller.cluster_serving import ClusterServing
from driftloop.services.controller.controller import Controller
from driftloop.services.controller.knative_serving import KnativeServing
from driftloop.services.controller.pipeline_run import PipelineRun
from driftloop.state import State
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts import cloudevent, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput

KEPT = timedelta(days=28)
"""How long a LoopEvent is kept: twice the age at which the receiver refuses an event."""

log = logging.getLogger("driftloop.controller")


class ClusterLoop:
    """One LearningLoop in one namespace."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self.resource = cluster.objects.get("LearningLoop", namespace, name)
        self.loop = parsed(self.resource)
        self.ledger = KubernetesLedger(cluster.objects, namespace, name)
        self.controller = Controller(
            self.loop, self.ledger, self, lambda event: cluster.tell(event, self.resource)
        )
        way = KnativeServing if cluster.platform.mode == KNATIVE else ClusterServing
        self.serving = way(cluster, self.loop, self._owned)

    def turn(self, now: datetime) -> None:
        """Look at the clock, do what is owed, and make what serves what should serve."""
        state, _ = self.ledger.state(self.loop.name)
        if self.loop.spec.paused:
            self._schedule(state, now)
            return
        if state.running:
            self._follow(state.running, now)
        self.controller.decide(decisions.Ticked() if state.champion else decisions.Started(), now)
        self.controller.settle(now)
        self.ledger.observe(now, self.cluster.health.conditions(now))
        state, _ = self.ledger.state(self.loop.name)
        self._serve(state)
        self._schedule(state, now)
        if state.rollout:
            self.look(now)

    def receive(self, event: CloudEvent, now: datetime) -> None:
        """Take an event once."""
        self.controller.receive(event, now)

    def look(self, now: datetime) -> None:
        """Compare a bundle on its way into service with the one in service.

        Before its first answer there is nothing to compare: pods take their time to start. One that
        nobody sees has no pod: the cohort job judges it.
        """
        rollout = self.ledger.state(self.loop.name)[0].rollout
        if rollout and not rollout.shadow and (rollout.looked or self.answered(rollout.version)):
            self.controller.look(now)

    def serve(self) -> None:
        """Take a step towards serving the champion, or the version that spec.pin names."""
        if not self.loop.spec.paused:
            self._serve(self.ledger.state(self.loop.name)[0])

    def _serve(self, state: State) -> None:
        version, rollout = self.loop.spec.pin or state.champion, state.rollout
        beside: tuple[Any, ...] = ()
        if rollout and not rollout.shadow and version == rollout.stable:
            beside = rollout.version, self.loop.spec.rollout.share(rollout.step)
        if version:
            platform = self.cluster.platform
            self.serving.serve(serving.goal(self.loop, platform, version, *beside))

    def _schedule(self, state: State, now: datetime) -> None:
        """Have outcomes scored on the loop's schedule, once there is what they are outcomes of.

        Without the right to it, which each namespace gives, all else goes on.
        """
        if not state.champion:
            return
        platform = self.cluster.platform.within(self.namespace)
        order = orders.of(state, self.resource["spec"]).to_json()
        content = self._owned(cohort_job.cron_job(self.loop, platform, order))
        key = self.namespace, self.loop.name
        if not self.cluster.schedules.is_due(key, content, now):
            return
        try:
            self.cluster.objects.apply("CronJob", self.namespace, content)
        except Unavailable as error:
            log.warning("%s/%s: no cohort job. %s", *key, error)

    def train(self, order: Order, causes: Sequence[dict[str, Any]]) -> Outcome | None:
        """Create the Retraining; its own handler starts the run and tells how it ended."""
        content = self._owned(retrainings.content(order, causes))
        with suppress(Stale):
            self.cluster.objects.create("Retraining", self.namespace, content)
        return None

    def promote(self, version: str) -> None:
        """Begin to serve the champion; the ledger already says who that is."""
        self.serve()

    def shift(self, version: str, stable: str, share: float) -> None:
        """Begin to give a candidate its share; the ledger already says which."""
        self.serve()

    def withdraw(self, version: str, stable: str) -> None:
        """Begin to take a candidate out of service; the ledger already says so."""
        self.serve()

    def answered(self, version: str) -> dict[str, Arm]:
        """Return what each process that serves ``version`` answered since its start."""
        return self.serving.answered(version)

    def drive(self, retraining: Object, now: datetime) -> None:
        """Bring one Retraining further: start its run, look at it, take how it ended."""
        if self.loop.spec.paused:
            return
        spec = self.resource["spec"]
        ended = PipelineRun(self.cluster, self.loop, spec, retraining).progress(now)
        number = int(retraining["spec"]["number"])
        state, _ = self.ledger.state(self.loop.name)
        if ended is not None and state.running == number:
            self.controller.ended(number, ended, now)

    def _follow(self, number: int, now: datetime) -> None:
        """Drive the running Retraining; one that a person deleted has failed."""
        name = f"{self.loop.name}-{number}"
        if any(kind == "open" for _, kind, _ in self.ledger.owed(self.loop.name)):
            return  # it is still to be created
        try:
            self.drive(self.cluster.objects.get("Retraining", self.namespace, name), now)
        except Absent:
            gone = Outcome("failed", "", None, (f"Retraining {name} was deleted.",))
            self.controller.ended(number, gone, now)

    def _owned(self, content: Object) -> Object:
        """Return ``content`` owned by the loop, so that it is deleted with it."""
        owner = {
            "apiVersion": "driftloop.io/v1alpha1",
            "kind": "LearningLoop",
            "name": self.loop.name,
            "uid": self.resource["metadata"]["uid"],
            "controller": True,
        }
        metadata = content["metadata"] | {"namespace": self.namespace, "ownerReferences": [owner]}
        return content | {"metadata": metadata}


def parsed(resource: Object) -> LearningLoop:
    """Return the LearningLoop of an API object; raise InvalidInput for one that breaks a rule."""
    metadata = {key: resource["metadata"][key] for key in ("name", "namespace")}
    content = {key: resource[key] for key in ("apiVersion", "kind", "spec")}
    return loops.parse(content | {"metadata": metadata}, f"LearningLoop {metadata['name']}")


def take(cluster: Cluster, received: Object, now: datetime) -> None:
    """Take a LoopEvent that was not taken yet, and say in its status what became of it.

    Events of a paused loop wait until it goes on; one taken long ago is deleted.
    """
    metadata = received["metadata"]
    namespace = metadata["namespace"]
    if received.get("status", {}).get("taken") is not None:
        if now - times.from_text(metadata["creationTimestamp"]) > KEPT:
            cluster.objects.delete("LoopEvent", namespace, metadata["name"])
        return
    try:
        event = cloudevent.from_dict(received["spec"]["event"])
        loop = ClusterLoop(cluster, namespace, received["spec"]["loop"])
        if loop.loop.spec.paused:
            return
        loop.receive(event, now)
        status: Object = {"taken": True}
    except InvalidInput as error:
        status = {"taken": False, "refused": str(error)}
    cluster.objects.replace_status("LoopEvent", namespace, received | {"status": status})
