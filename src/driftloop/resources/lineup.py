"""Lineup: the predictors of a loop's InferenceService, and the next one on the way to a goal.

One predictor is stable; a second one, the canary, may have a share of the traffic. A bundle takes
over without a restart: its canary gets its pods, then all the traffic, then the name of the stable
one. KServe deletes a Deployment and a Service whose name it no longer expects at once, so a name
is given up only when no route leads there any more.

Source: KServe 0.21, ``spec.canary`` in Standard mode: validateCanarySpecs, applyCanaryWeights and
reconcileCanaryDeployments.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

BUNDLE = "driftloop.io/bundle"
"""Annotation of a pod: the version it serves."""


@dataclass(frozen=True)
class Canary:
    """A predictor beside the stable one: so much of the traffic, in percent, on so many pods."""

    name: str
    version: str
    percent: int
    replicas: int


@dataclass(frozen=True)
class Lineup:
    """The stable predictor, its pods (fewest, most), and what stands beside it.

    ``name``: KServe's of the stable predictor, '' for its default.
    """

    name: str
    version: str
    replicas: tuple[int, int]
    canary: Canary | None = None


@dataclass(frozen=True)
class Goal:
    """Who should serve: ``version``, and maybe ``candidate`` with ``percent`` of the traffic.

    ``splits``: whether a bundle takes over as a canary; otherwise the stable predictor's pods are
    replaced one by one. ``replicas``: fewest and most pods.
    """

    version: str
    replicas: tuple[int, int]
    splits: bool = False
    candidate: str = ""
    percent: int = 0


@dataclass(frozen=True)
class Seen:
    """What the cluster shows: pods of the stable predictor, and of the canary that are available.

    ``routed``: the canary's share in percent by each route that a gateway took (none: nobody is
    routed); None while a gateway has yet to take one.
    """

    pods: int = 0
    available: int = 0
    routed: frozenset[int] | None = frozenset()

    def is_routed(self, percent: int) -> bool:
        """Whether every route gives the canary this share."""
        return self.routed is not None and self.routed <= {percent}


def first(goal: Goal) -> Lineup:
    """Return the lineup of a loop that nothing serves yet."""
    return Lineup(name_of(goal.version) if goal.splits else "", goal.version, goal.replicas)


def following(live: Lineup, seen: Seen, goal: Goal) -> Lineup:
    """Return the next lineup on the way from ``live``; ``live`` itself where there is to wait."""
    if live.canary:
        return _beside(live, live.canary, seen, goal)
    is_stable = live.version == goal.version
    if (is_stable and not goal.candidate) or not (is_stable or goal.splits):
        return replace(live, version=goal.version, replicas=goal.replicas)
    least, most = goal.replicas
    pods = min(max(seen.pods, least), most)
    version, percent = (goal.candidate, goal.percent) if is_stable else (goal.version, 100)
    canary = Canary(name_of(version, live.name), version, 0, _pods(pods, percent))
    return _frozen(live, canary, pods, seen)


def is_reached(live: Lineup, goal: Goal) -> bool:
    """Whether nothing is left to do for the goal."""
    if live.canary is None:
        return live.version == goal.version and not goal.candidate
    beside = live.canary.version, live.canary.percent
    return (live.version, *beside) == (goal.version, goal.candidate, goal.percent)


def _beside(live: Lineup, canary: Canary, seen: Seen, goal: Goal) -> Lineup:
    """Return the next lineup where a canary takes over, has its share, or leaves."""
    takes_over = canary.version == goal.version != live.version
    stays = live.version == goal.version and canary.version == goal.candidate
    percent = 100 if takes_over else goal.percent if stays else 0
    if canary.percent == percent and seen.is_routed(percent):
        if takes_over and seen.available >= canary.replicas:
            return Lineup(canary.name, canary.version, goal.replicas)
        if not (takes_over or stays):
            return Lineup(live.name, live.version, goal.replicas)
    pods = live.replicas[1] - canary.replicas
    wanted = max(_pods(pods, percent), canary.replicas)
    if percent > canary.percent and seen.available < wanted:
        percent = canary.percent  # more traffic than its pods can take would slow it
    return _frozen(live, replace(canary, percent=percent, replicas=wanted), pods, seen)


def _frozen(live: Lineup, canary: Canary, pods: int, seen: Seen) -> Lineup:
    """Return the lineup with the stable predictor's pods as many as they were without a canary.

    KServe takes the canary's pods from the fewest of the stable predictor's once it is ready, so
    they are added there. The most are always both together: they remember ``pods``.
    """
    both = pods + canary.replicas
    return Lineup(live.name, live.version, (both if seen.available else pods, both), canary)


def _pods(pods: int, percent: int) -> int:
    return max(1, math.ceil(pods * percent / 100))


def name_of(version: str, taken: str = "") -> str:
    """Return the predictor's name for a bundle: short, for KServe puts it into a label of 63.

    >>> name_of("0002-1a2b3c4d"), name_of("0002-1a2b3c4d", taken="v2"), name_of("mine")[:1]
    ('v2', 'v2b', 'v')
    """
    number = version.partition("-")[0]
    short = str(int(number)) if number.isascii() and number.isdecimal() else _digest(version)
    found = f"v{short[:5]}"
    return f"{found}b" if found == taken else found


def _digest(version: str) -> str:
    return hashlib.sha256(version.encode()).hexdigest()


def deployment(loop: str, name: str) -> str:
    """Return the name of a predictor's Deployment and Service.

    >>> deployment("ads-ctr", ""), deployment("ads-ctr", "v2")
    ('ads-ctr-predictor', 'ads-ctr-v2-predictor')
    """
    return f"{loop}-{name}-predictor" if name else f"{loop}-predictor"


def read(service: Mapping[str, Any]) -> Lineup:
    """Return the lineup that an InferenceService has."""
    spec = service["spec"]
    predictor, canaries = spec["predictor"], spec.get("canary") or ()
    least = predictor.get("minReplicas", 1)
    replicas = least, predictor.get("maxReplicas") or least
    canary = _canary(canaries[0]) if canaries else None
    return Lineup(predictor.get("name", ""), _version(predictor), replicas, canary)


def _canary(entry: Mapping[str, Any]) -> Canary:
    predictor, percent = entry["predictor"], entry.get("trafficPercent", 0)
    name = predictor.get("name", "")
    return Canary(name, _version(predictor), percent, predictor.get("minReplicas", 1))


def _version(predictor: Mapping[str, Any]) -> str:
    return str(predictor.get("annotations", {}).get(BUNDLE, ""))


def leading(lineup: Lineup) -> str:
    """Return the name of the predictor that has all the traffic of callers without a gateway.

    >>> leading(Lineup("v1", "1-a", (1, 2), Canary("v2", "2-b", 100, 1)))
    'v2'
    """
    canary = lineup.canary
    return canary.name if canary and canary.percent == 100 else lineup.name


def available(deployment: Mapping[str, Any]) -> int:
    """Return how many pods of a Deployment's newest form are available."""
    status = deployment.get("status", {})
    generation = deployment.get("metadata", {}).get("generation", 0)
    if status.get("observedGeneration", 0) < generation:
        return 0
    return int(min(status.get("availableReplicas", 0), status.get("updatedReplicas", 0)))


def share_of(route: Mapping[str, Any], service: str) -> int | None:
    """Return the percent of an HTTPRoute's traffic that a Service gets, by its first rule.

    None while a gateway that has it (one of its parents) has not taken its newest form.
    """
    generation = route["metadata"].get("generation", 0)
    for parent in route.get("status", {}).get("parents", ()):
        for condition in parent.get("conditions", ()):
            if condition.get("observedGeneration", generation) < generation:
                return None
    rules = route["spec"].get("rules") or ({},)
    weights = {b["name"]: b.get("weight", 1) for b in rules[0].get("backendRefs", ())}
    whole = sum(weights.values())
    return round(100 * weights.get(service, 0) / whole) if whole else 0
