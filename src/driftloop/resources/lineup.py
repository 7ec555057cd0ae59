"""Lineup: the predictors of a loop's InferenceService, and the next one on the way to a goal.

One predictor is stable; a second one, the canary, may have a share of the traffic. A bundle takes
over without a restart: its canary gets its pods, then all the traffic, then the place of the stable
one. KServe deletes a Deployment and a Service whose name it no longer expects at once, so a name
is given up only when no route leads there any more. It writes no route while a pod of the stable
predictor is missing, so then a takeover does not wait for one. There are two names in turn, for
the autoscalers that KServe makes for each name are never deleted.

Source: KServe 0.21, ``spec.canary`` in Standard mode: validateCanarySpecs, applyCanaryWeights,
createRawPredictorHTTPRoute and reconcileCanaryDeployments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from driftloop_contracts import times

BUNDLE = "driftloop.io/bundle"
"""Annotation of a pod: the version it serves."""
NAMES = ("blue", "green")
"""Of predictors where bundles come as canaries."""
SOON = timedelta(seconds=60)
"""Within which a pod that is missing is expected back."""


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
    """What the cluster shows of a lineup.

    ``pods``: that the stable predictor should have now, ``is_whole``: whether all are available, or
    were until a moment ago; ``available``: pods of the canary; ``routed``: its share in percent by
    each route that a gateway took (none: there is no route), None while a gateway has yet to take
    one; ``is_led``: whether callers inside the cluster are led to the canary.
    """

    pods: int = 0
    is_whole: bool = True
    available: int = 0
    routed: frozenset[int] | None = frozenset()
    is_led: bool = False

    def is_routed(self, percent: int) -> bool:
        """Whether every route gives the canary this share."""
        return self.routed is not None and self.routed <= {percent}


def first(goal: Goal) -> Lineup:
    """Return the lineup of a loop that nothing serves yet."""
    return Lineup(NAMES[0] if goal.splits else "", goal.version, goal.replicas)


def following(live: Lineup, seen: Seen, goal: Goal) -> Lineup:
    """Return the next lineup on the way from ``live``; ``live`` itself where there is to wait."""
    if live.canary:
        return _beside(live, live.canary, seen, goal)
    is_stable = live.version == goal.version
    # Without a route nobody splits traffic, and an ingress would lead to a name that is gone.
    splits = goal.splits and seen.routed != frozenset()
    if not splits or (is_stable and not goal.candidate):
        return replace(live, version=goal.version, replicas=goal.replicas)
    version, percent = (goal.candidate, goal.percent) if is_stable else (goal.version, 100)
    pods = _within(seen.pods, goal)
    canary = Canary(_other(live.name), version, 0, _pods(pods, percent))
    return _kept(live, canary, pods, Seen(), goal)


def _beside(live: Lineup, canary: Canary, seen: Seen, goal: Goal) -> Lineup:
    """Return the next lineup where a canary takes over, has its share, or leaves."""
    takes_over = canary.version == goal.version != live.version
    stays = live.version == goal.version and canary.version == goal.candidate
    percent = 100 if takes_over else goal.percent if stays else 0
    if canary.percent == percent == 0 and not (takes_over or stays) and seen.is_routed(0):
        return Lineup(live.name, live.version, goal.replicas)
    pods = _had(live, canary, goal)
    if seen.available >= canary.replicas:  # else KServe counts some of the canary's among them
        pods = max(pods, _within(seen.pods, goal))
    wanted = max(_pods(pods, percent), canary.replicas)
    if takes_over and canary.percent == 100 and _is_left(seen) and seen.available >= wanted:
        return Lineup(canary.name, canary.version, goal.replicas)
    if percent > canary.percent and seen.available < wanted:
        # More traffic than its pods can take would slow it; one that takes over grows with them.
        grown = 100 * seen.available // wanted if takes_over else 0
        percent = max(canary.percent, grown)
    return _kept(live, replace(canary, percent=percent, replicas=wanted), pods, seen, goal)


def _is_left(seen: Seen) -> bool:
    """Whether nobody is led to the stable predictor, or no route can say so any more."""
    return seen.is_led and (seen.is_routed(100) or not seen.is_whole)


def _kept(live: Lineup, canary: Canary, pods: int, seen: Seen, goal: Goal) -> Lineup:
    """Return the lineup in which the stable predictor keeps the pods it had, or gets more.

    KServe takes the canary's pods from the fewest of the stable predictor's once one is ready, so
    they are added there then. One more in the most tells the next look that they are.
    """
    is_counted = seen.available > 0
    least = pods + canary.replicas if is_counted else pods
    most = goal.replicas[1] + canary.replicas + is_counted
    return Lineup(live.name, live.version, (least, max(least, most)), canary)


def _had(live: Lineup, canary: Canary, goal: Goal) -> int:
    """Return the stable predictor's pods, as the last step left them."""
    least, most = live.replicas
    is_counted = most > goal.replicas[1] + canary.replicas
    return max(1, least - (canary.replicas if is_counted else 0))


def _within(pods: int, goal: Goal) -> int:
    least, most = goal.replicas
    return min(max(pods, least), most)


def _other(name: str) -> str:
    return NAMES[1] if name == NAMES[0] else NAMES[0]


def is_reached(live: Lineup, goal: Goal) -> bool:
    """Whether nothing is left to do for the goal."""
    if live.canary is None:
        return live.version == goal.version and not goal.candidate
    beside = live.canary.version, live.canary.percent
    return (live.version, *beside) == (goal.version, goal.candidate, goal.percent)


def _pods(pods: int, percent: int) -> int:
    return max(1, math.ceil(pods * percent / 100))


def deployment(loop: str, name: str) -> str:
    """Return the name of a predictor's Deployment and Service.

    >>> deployment("ads-ctr", ""), deployment("ads-ctr", "green")
    ('ads-ctr-predictor', 'ads-ctr-green-predictor')
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

    >>> leading(Lineup("blue", "1-a", (1, 2), Canary("green", "2-b", 100, 1)))
    'green'
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


def is_whole(deployment: Mapping[str, Any], now: datetime) -> bool:
    """Whether KServe calls a predictor ready, or will soon: a pod may be on its way.

    It does while no pod of its Deployment is missing, and writes no route otherwise.
    """
    status = deployment.get("status", {})
    for one in status.get("conditions", ()):
        if one["type"] == "Available":
            since = times.from_text(one.get("lastTransitionTime", times.to_text(now)))
            is_missed = not status.get("availableReplicas") or now - since > SOON
            return one["status"] == "True" or not is_missed
    return False


def share_of(route: Mapping[str, Any], service: str) -> int | None:
    """Return the percent of an HTTPRoute's traffic that a Service gets, by its first rule.

    None while a gateway that has it (one of its parents) has not taken its newest form.
    """
    generation = route["metadata"].get("generation", 0)
    asked = {_parent(route, reference) for reference in route["spec"].get("parentRefs", ())}
    for parent in route.get("status", {}).get("parents", ()):
        for condition in parent.get("conditions", ()):
            is_old = condition.get("observedGeneration", generation) < generation
            if is_old and _parent(route, parent.get("parentRef", {})) in asked:
                return None
    rules: Sequence[Mapping[str, Any]] = route["spec"].get("rules") or ({},)
    weights = {b["name"]: b.get("weight", 1) for b in rules[0].get("backendRefs", ())}
    whole = sum(weights.values())
    return round(100 * weights.get(service, 0) / whole) if whole else 0


def _parent(route: Mapping[str, Any], reference: Mapping[str, Any]) -> tuple[str, str]:
    own = route["metadata"].get("namespace", "")
    return str(reference.get("name", "")), str(reference.get("namespace") or own)
