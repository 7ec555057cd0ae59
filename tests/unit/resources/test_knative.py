"""A loop on KServe's Knative mode: what Knative takes, and rollouts whose revisions start late."""

from __future__ import annotations

import random
from typing import Any

import pytest

from driftloop.loop import LearningLoop
from driftloop.resources import knative
from driftloop.resources.lineup import Canary, Goal, Lineup
from driftloop.resources.platform import Platform

BOUNDS = (1, 3)
PLATFORM = Platform("platform", "sidecar", "s3://b/ads", "http://c", replicas=BOUNDS)
ONE, TWO, THREE = "0001-a", "0002-b", "0003-c"
CONTAINER_FIELDS = {
    "name", "args", "command", "env", "workingDir", "envFrom", "image", "imagePullPolicy",
    "livenessProbe", "ports", "readinessProbe", "resources", "securityContext", "volumeMounts",
}  # fmt: skip
POD_FIELDS = {"serviceAccountName", "containers", "volumes", "imagePullSecrets"}
COMPONENT_FIELDS = {
    "annotations", "labels", "minReplicas", "maxReplicas", "canaryTrafficPercent",
}  # fmt: skip
"""Knative's pod fields without a feature flag (fieldmask.go), and KServe's of a component."""


class Knative:
    """KServe and Knative as far as revisions go: a new template is one, ready after a while."""

    def __init__(self, ads: LearningLoop, rng: random.Random) -> None:
        self.ads, self.rng = ads, rng
        self.service: dict[str, Any] | None = None
        self.templates: list[tuple[str, Any]] = []
        self.ready = self.whole = ""

    def apply(self, lineup: Lineup) -> None:
        content = knative.inference_service(self.ads, lineup, PLATFORM, self.service)
        assert knative.read(content) == lineup
        predictor = content["spec"]["predictor"]
        template = {k: v for k, v in predictor.items() if k not in ("canaryTrafficPercent",)}
        if not self.templates or self.templates[-1][1] != template:
            self.templates.append((f"r{len(self.templates)}", template))
        self.service = content
        self.tell()

    def pass_time(self) -> None:
        if self.rng.random() < 0.4:
            self.ready = self.templates[-1][0]
        percent = self.service["spec"]["predictor"].get("canaryTrafficPercent")
        if percent is None and self.ready == self.templates[-1][0]:
            self.whole = self.ready
        self.tell()

    def tell(self) -> None:
        names = (self.templates[-1][0], self.ready, self.whole)
        keys = ("latestCreatedRevision", "latestReadyRevision", "latestRolledoutRevision")
        told = {key: name for key, name in zip(keys, names, strict=True) if name}
        if self.rng.random() < 0.7:  # the status comes after
            self.service["status"] = {"components": {"predictor": told}}

    def traffic(self) -> dict[str, int]:
        """Return each bundle's share."""
        bundle = {name: t["annotations"][knative.BUNDLE] for name, t in self.templates}
        percent = self.service["spec"]["predictor"].get("canaryTrafficPercent")
        if percent is None or not self.whole:
            return {bundle[self.ready]: 100} if self.ready else {}
        found = {bundle[self.whole]: 100 - percent}
        found[bundle[self.ready]] = found.get(bundle[self.ready], 0) + percent
        return {name: share for name, share in found.items() if share}


def brought(world: Knative, goal: Goal, ticks: int = 300) -> list[dict[str, int]]:
    """Bring it to the goal; return who had traffic on the way."""
    seen = []
    for _ in range(ticks):
        live = world.service
        lineup = knative.following(knative.read(live), knative.seen(live), goal)
        world.apply(lineup)
        seen.append(world.traffic())
        world.pass_time()
        seen.append(world.traffic())
        if knative.is_reached(lineup, goal) and seen[-1] == seen[-2] and _is_settled(world):
            return seen
    raise AssertionError(f"{world.service} never became {goal}")


def _is_settled(world: Knative) -> bool:
    return world.ready == world.templates[-1][0]


@pytest.fixture(params=range(20))
def world(ads: LearningLoop, request: pytest.FixtureRequest) -> Knative:
    found = Knative(ads, random.Random(request.param))
    found.apply(Lineup("", ONE, BOUNDS))
    while not found.whole:
        found.pass_time()
    return found


def test_a_candidate_has_its_share_and_takes_over_in_the_same_revision(world: Knative) -> None:
    for percent in (5, 50):
        seen = brought(world, Goal(ONE, BOUNDS, True, TWO, percent))
        assert seen[-1] == {ONE: 100 - percent, TWO: percent}
    revisions = len(world.templates)
    seen = brought(world, Goal(TWO, BOUNDS, True))
    assert seen[-1] == {TWO: 100}
    assert len(world.templates) == revisions == 2


def test_one_that_went_back_gets_nothing_ever_again(world: Knative) -> None:
    brought(world, Goal(ONE, BOUNDS, True, TWO, 50))
    assert brought(world, Goal(ONE, BOUNDS, True))[-1] == {ONE: 100}
    later = brought(world, Goal(ONE, BOUNDS, True, THREE, 25))
    assert not [one for one in later if TWO in one]
    assert later[-1] == {ONE: 75, THREE: 25}
    assert brought(world, Goal(THREE, BOUNDS, True))[-1] == {THREE: 100}


def test_a_person_goes_back_past_a_candidate_without_giving_it_all(world: Knative) -> None:
    brought(world, Goal(ONE, BOUNDS, True, TWO, 5))
    seen = brought(world, Goal(THREE, BOUNDS, True))
    assert max(one.get(TWO, 0) for one in seen) <= 5
    assert seen[-1] == {THREE: 100}


@pytest.mark.parametrize("canary", [None, Canary("", TWO, 25, 0)])
def test_it_has_only_what_knative_takes(ads: LearningLoop, canary: Canary | None) -> None:
    found = knative.inference_service(ads, Lineup("", ONE, BOUNDS, canary), PLATFORM)
    assert found["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Knative"}
    predictor = found["spec"]["predictor"]
    assert set(predictor) <= POD_FIELDS | COMPONENT_FIELDS
    first, second = predictor["containers"]
    for container in (first, second):
        assert set(container) <= CONTAINER_FIELDS
        assert not [one for one in container["env"] if "valueFrom" in one]
        told = {one["name"]: one["value"] for one in container["env"]}
        assert told["DRIFTLOOP_BUNDLE"] == (TWO if canary else ONE)
        assert container["securityContext"]["runAsNonRoot"]
    assert len(first["ports"]) == 1
    assert not {"ports", "readinessProbe", "livenessProbe"} & set(second)
    kinds = {next(kind for kind in volume if kind != "name") for volume in predictor["volumes"]}
    assert kinds <= {"emptyDir", "projected", "configMap", "secret"}
