"""Knative: a lineup as KServe's Knative mode serves it, where each change is a revision.

There is one predictor; ``canaryTrafficPercent`` gives its newest ready revision that share and the
last one that had all the traffic the rest. So the predictor is the canary while there is one, and
an annotation of it says who is stable. A revision that is not ready yet leaves its share to the
one before it, which may be a candidate that went back: a new one stays without traffic until it is
ready, and an annotation names the revision that it comes after.

Sources: KServe 0.21, createKnativeService and PropagateStatus; Knative Serving, fieldmask.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from driftloop.loop import LearningLoop
from driftloop.resources import pod, serving
from driftloop.resources.lineup import BUNDLE, Canary, Goal, Lineup, Seen
from driftloop.resources.platform import Platform
from driftloop.resources.pod import Manifest

STABLE = "driftloop.io/stable"
"""Annotation of a canary: the version that has the rest of the traffic."""
AFTER = "driftloop.io/after"
"""Annotation of a canary: the revision that was ready before it."""
POD_FIELDS = ("annotations", "labels", "serviceAccountName", "containers", "volumes")
"""What Knative takes of a pod without a feature flag."""


def following(live: Lineup, seen: Seen, goal: Goal) -> Lineup:
    """Return the next lineup on the way from ``live``.

    ``seen.available``: pods of the newest revision, as far as 0 is none.
    """
    whole = Lineup("", goal.version, goal.replicas)
    if live.canary is None:
        return _dark(live, goal.candidate, goal) if _asks(live, goal) else whole
    if live.canary.version == goal.version and seen.available:
        return whole
    if goal.version not in (live.version, live.canary.version):
        return _dark(live, goal.version, goal)
    if goal.version == live.version and goal.candidate not in ("", live.canary.version):
        return _dark(live, goal.candidate, goal)
    percent = goal.percent if goal.candidate and seen.available else 0
    return replace(live, replicas=goal.replicas, canary=replace(live.canary, percent=percent))


def _asks(live: Lineup, goal: Goal) -> bool:
    return live.version == goal.version and bool(goal.candidate)


def _dark(live: Lineup, version: str, goal: Goal) -> Lineup:
    return Lineup("", live.version, goal.replicas, Canary("", version, 0, 0))


def is_reached(live: Lineup, goal: Goal) -> bool:
    """Whether nothing is left to do; one that went back stays without traffic until the next."""
    if live.version != goal.version:
        return False
    beside = (live.canary.version, live.canary.percent) if live.canary else ("", 0)
    return beside == (goal.candidate, goal.percent) if goal.candidate else beside[1] == 0


def inference_service(
    loop: LearningLoop, lineup: Lineup, platform: Platform, live: Mapping[str, Any] | None = None
) -> Manifest:
    """Return the loop's InferenceService; ``live``: the one that is there, if there is one."""
    least, most = lineup.replicas
    canary = lineup.canary
    version = canary.version if canary else lineup.version
    predictor = _revision(loop, version, platform) | {"minReplicas": least, "maxReplicas": most}
    predictor["annotations"] |= _marks(lineup, version, live)
    if canary:
        predictor["canaryTrafficPercent"] = canary.percent
    found = serving.owned(loop, "serving.kserve.io/v1beta1", "InferenceService")
    found["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "Knative"}
    return found | {"spec": {"predictor": predictor}}


def _marks(lineup: Lineup, version: str, live: Mapping[str, Any] | None) -> dict[str, str]:
    """Return a predictor's annotations beside its bundle's: for one bundle always the same.

    Another annotation would be another revision, which starts anew.
    """
    known = live["spec"]["predictor"].get("annotations", {}) if live else {}
    if known.get(BUNDLE) == version:
        return {name: known[name] for name in (STABLE, AFTER) if name in known}
    after = revisions(live)[1] if live else ""
    return {STABLE: lineup.version, AFTER: after} if lineup.canary else {}


def _revision(loop: LearningLoop, version: str, platform: Platform) -> Manifest:
    """Return a predictor's fields without what Knative refuses.

    Its own proxy drains a pod; one container alone may have ports and a probe.
    """
    whole = pod.fields(loop, version, platform)
    found = {name: whole[name] for name in POD_FIELDS}
    predictor, sidecar = (_container(one, version) for one in whole["containers"])
    del sidecar["ports"], sidecar["readinessProbe"]
    return found | {"containers": [predictor, sidecar]}


def _container(container: Manifest, version: str) -> Manifest:
    told = [one for one in container["env"] if "value" in one]
    found = {name: value for name, value in container.items() if name != "lifecycle"}
    return found | {
        "env": [*told, {"name": "DRIFTLOOP_BUNDLE", "value": version}],
        "securityContext": container["securityContext"] | pod.UNPRIVILEGED,
    }


def read(service: Mapping[str, Any]) -> Lineup:
    """Return the lineup that an InferenceService has."""
    predictor = service["spec"]["predictor"]
    annotations = predictor.get("annotations", {})
    version, least = str(annotations.get(BUNDLE, "")), predictor.get("minReplicas", 1)
    replicas = least, predictor.get("maxReplicas") or least
    percent = predictor.get("canaryTrafficPercent")
    if percent is None:
        return Lineup("", version, replicas)
    return Lineup("", str(annotations.get(STABLE, "")), replicas, Canary("", version, percent, 0))


def seen(service: Mapping[str, Any]) -> Seen:
    """Return whether the newest revision is ready, by the InferenceService's status."""
    newest, ready, _ = revisions(service)
    after = service["spec"]["predictor"].get("annotations", {}).get(AFTER, "")
    return Seen(available=int(bool(ready) and newest == ready != after))


def revisions(service: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the newest revision, the newest that is ready, and the last that had all traffic."""
    status = service.get("status", {}).get("components", {}).get("predictor", {})
    names = ("latestCreatedRevision", "latestReadyRevision", "latestRolledoutRevision")
    newest, ready, whole = (str(status.get(name, "")) for name in names)
    return newest, ready, whole
