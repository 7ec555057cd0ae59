"""Knative serving: what serves a loop where KServe leaves pods and traffic to Knative."""

from __future__ import annotations

from driftloop.adapters.kubernetes_objects import Object
from driftloop.resources import knative
from driftloop.resources.lineup import Goal, Lineup
from driftloop.resources.platform import Platform
from driftloop.services.controller.cluster_serving import ClusterServing


class KnativeServing(ClusterServing):
    """What serves one loop; callers use the address that the InferenceService's status tells."""

    def _following(self, service: Object | None, front: Object | None, goal: Goal) -> Lineup:
        if service is None:
            return Lineup("", goal.version, goal.replicas)
        return knative.following(knative.read(service), knative.seen(service), goal)

    def _front(self, service: Object | None, lineup: Lineup) -> list[Object]:
        return []

    def _rendered(self, lineup: Lineup, platform: Platform, live: Object | None) -> Object:
        return knative.inference_service(self._loop, lineup, platform, live)

    def _is_reached(self, lineup: Lineup, goal: Goal) -> bool:
        return knative.is_reached(lineup, goal)

    def _services(self, service: Object, version: str) -> list[str]:
        """Return the Services that Knative keeps for itself, one a revision."""
        live = knative.read(service)
        _, newest, whole = knative.revisions(service)
        canary = (newest, live.canary.version) if live.canary else ("", "")
        names = [n for n, v in ((whole, live.version), canary) if n and v == version]
        return [f"{name}-private" for name in names]
