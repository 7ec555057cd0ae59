"""Cluster serving: what serves a loop, brought one step at a time to what should.

Each step follows from what the cluster shows, not from what was done last, and is written only
over the InferenceService it was decided on: a kill, or another controller, costs no step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from driftloop import clock
from driftloop.adapters.kubernetes_objects import Absent, Object
from driftloop.adapters.unavailable import Unavailable
from driftloop.loop import LearningLoop
from driftloop.resources import lineup as lineups
from driftloop.resources import serving
from driftloop.resources.lineup import Goal, Lineup, Seen
from driftloop.resources.platform import Platform
from driftloop.resources.pod import LOOP
from driftloop.rollout.arm import Arm
from driftloop.services.controller import pod_counters
from driftloop.services.controller.cluster import Cluster
from driftloop_contracts.errors import InvalidInput

log = logging.getLogger("driftloop.controller")


class ClusterServing:
    """What serves one loop; ``owned`` makes an object the loop's."""

    def __init__(
        self,
        cluster: Cluster,
        loop: LearningLoop,
        owned: Callable[[Object], Object],
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._cluster, self._loop, self._owned, self._now = cluster, loop, owned, now
        self._namespace = loop.metadata.namespace

    def serve(self, goal: Goal) -> None:
        """Take the next step towards ``goal``; raise Stale when another took one meanwhile."""
        is_led = self._loop.spec.rollout.mode == "canary"  # others need no Service: a call less
        front = self._found("Service", serving.champion_name(self._loop)) if is_led else None
        service = self._found("InferenceService", self._loop.name)
        lineup = self._following(service, front, goal)
        platform = self._cluster.platform.within(self._namespace)
        # The Service leads to a canary with all the traffic, and only then that one takes over.
        for content in self._front(service, lineup):
            self._lead(content, front)
        self._apply(self._rendered(lineup, platform, service), service)
        self._apply(serving.disruption_budget(self._loop))
        key = self._namespace, self._loop.name
        self._cluster.unsettled.note(key, lineup, is_reached=self._is_reached(lineup, goal))

    def answered(self, version: str) -> dict[str, Arm]:
        """Return what each process that serves ``version`` answered since its start."""
        service = self._found("InferenceService", self._loop.name)
        names = self._services(service, version) if service else []
        slices = [
            one
            for name in names
            for one in self._cluster.objects.list(
                "EndpointSlice", self._namespace, f"kubernetes.io/service-name={name}"
            )
        ]
        return pod_counters.of(pod_counters.addresses(slices), self._cluster.ask)

    def _following(self, service: Object | None, front: Object | None, goal: Goal) -> Lineup:
        """Return the next lineup; a loop at rest is not looked at any further."""
        if service is None:
            return lineups.first(goal)
        live = lineups.read(service)
        is_at_rest = live.canary is None and lineups.is_reached(live, goal)
        return lineups.following(live, Seen() if is_at_rest else self._seen(live, front), goal)

    def _front(self, service: Object | None, lineup: Lineup) -> list[Object]:
        """Return what leads callers inside the cluster, as long as predictors change names."""
        live = lineups.read(service) if service else lineup
        is_named = serving.splits(self._loop, live) or serving.splits(self._loop, lineup)
        return [serving.champion_service(self._loop, live)] if is_named else []

    def _lead(self, content: Object, front: Object | None) -> None:
        """Write the Service where it must change; without it nobody takes over, and no more."""
        if front and front["spec"].get("selector") == content["spec"]["selector"]:
            return
        try:
            self._require_own(front)
            self._apply(content, front)
        except (InvalidInput, Unavailable) as error:
            log.warning("%s/%s: %s", self._namespace, self._loop.name, error)

    def _rendered(self, lineup: Lineup, platform: Platform, live: Object | None) -> Object:
        return serving.inference_service(self._loop, lineup, platform)

    def _is_reached(self, lineup: Lineup, goal: Goal) -> bool:
        return lineups.is_reached(lineup, goal)

    def _services(self, service: Object, version: str) -> list[str]:
        """Return the Services that lead to the pods of a bundle."""
        live = lineups.read(service)
        canary = (live.canary.name, live.canary.version) if live.canary else ("", "")
        names = [n for n, v in ((live.name, live.version), canary) if v == version]
        return [lineups.deployment(self._loop.name, name) for name in names]

    def _seen(self, live: Lineup, front: Object | None) -> Seen:
        stable = self._deployment(live.name)
        pods = int(stable.get("spec", {}).get("replicas", 0))
        name = live.canary.name if live.canary else ""
        service = lineups.deployment(self._loop.name, name) if name else ""
        shares = {lineups.share_of(route, service) for route in self._routes()}
        known = frozenset(share for share in shares if share is not None)
        led = front["spec"].get("selector") if front else None
        return Seen(
            pods=pods,
            is_whole=lineups.is_whole(stable, self._now()),
            available=lineups.available(self._deployment(name)) if name else 0,
            routed=None if None in shares else known,
            is_led=led == serving.selector(self._loop, name),
        )

    def _routes(self) -> list[Object]:
        """Return KServe's routes: the loop's own, and that of its predictor."""
        names = self._loop.name, lineups.deployment(self._loop.name, "")
        found = (self._found("HTTPRoute", name) for name in names)
        return [route for route in found if route]

    def _deployment(self, name: str) -> Object:
        return self._found("Deployment", lineups.deployment(self._loop.name, name)) or {}

    def _found(self, kind: str, name: str) -> Object | None:
        with suppress(Absent):
            return self._cluster.objects.get(kind, self._namespace, name)
        return None

    def _apply(self, content: dict[str, Any], live: Object | None = None) -> None:
        """Write an object, over exactly the ``live`` one where there is one."""
        if live is not None:
            content["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        self._cluster.objects.apply(content["kind"], self._namespace, self._owned(content))

    def _require_own(self, front: Object | None) -> None:
        """Raise InvalidInput for a Service of somebody else that has the name."""
        own = self._loop.name
        labels = front["metadata"].get("labels", {}) if front else {LOOP: own}
        if labels.get(LOOP) != own:
            name, where = serving.champion_name(self._loop), f"namespace {self._namespace}"
            allowed = f"the loop's, with the label {LOOP}, or absent"
            raise InvalidInput(name, where, allowed, "a Service without it")
