"""Serving objects: a loop's InferenceService, its champion's Service and its disruption budget.

KServe's Standard mode, as a custom predictor (docs/adr/0009). Who serves is a lineup.

Source: KServe 0.21, InferenceService v1beta1.
"""

from __future__ import annotations

from driftloop.loop import LearningLoop
from driftloop.resources import lineup as lineups
from driftloop.resources import pod
from driftloop.resources.lineup import Canary, Goal, Lineup
from driftloop.resources.platform import Platform
from driftloop.resources.pod import LOOP, PREDICTOR_PORT, Manifest


def goal(
    loop: LearningLoop,
    platform: Platform,
    version: str,
    candidate: str = "",
    share: float = 0.0,
) -> Goal:
    """Return who should serve: ``version``, beside it ``candidate`` with a share of the traffic."""
    splits = loop.spec.rollout.mode == "canary"
    # A share that is on its way is never none and never all: KServe counts in whole percent.
    percent = min(max(round(100 * share), 1), 99) if candidate else 0
    return Goal(version, platform.replicas, splits, candidate, percent)


def objects(loop: LearningLoop, lineup: Lineup, platform: Platform) -> list[Manifest]:
    """Return what serves ``lineup``."""
    found = [inference_service(loop, lineup, platform), disruption_budget(loop)]
    return [champion_service(loop, lineup), *found] if splits(loop, lineup) else found


def splits(loop: LearningLoop, lineup: Lineup) -> bool:
    """Whether the loop's predictors stand side by side, may, or did when one got its name."""
    return loop.spec.rollout.mode == "canary" or lineup.canary is not None or bool(lineup.name)


def inference_service(loop: LearningLoop, lineup: Lineup, platform: Platform) -> Manifest:
    """Return the loop's InferenceService with the predictors of ``lineup``."""
    (least, most), beside = lineup.replicas, splits(loop, lineup)
    predictor = pod.fields(loop, lineup.version, platform, splits=beside) | {
        "minReplicas": least,
        "maxReplicas": most,
        "scaleMetric": "cpu",
        "scaleTarget": 70,
    }
    spec: Manifest = {"predictor": predictor | _named(lineup.name)}
    if lineup.canary:
        spec["canary"] = [_canary(loop, lineup.canary, platform)]
    found = owned(loop, "serving.kserve.io/v1beta1", "InferenceService") | {"spec": spec}
    # KServe's shipped default is still Knative, so Standard is always said.
    found["metadata"]["annotations"] = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "hpa",
    }
    return found


def _canary(loop: LearningLoop, canary: Canary, platform: Platform) -> Manifest:
    """Return a canary's entry; KServe gives it fixed pods, and refuses any autoscaling."""
    predictor = pod.fields(loop, canary.version, platform, splits=True) | _named(canary.name)
    predictor["minReplicas"] = canary.replicas
    return {"predictor": predictor, "trafficPercent": canary.percent}


def _named(name: str) -> Manifest:
    return {"name": name} if name else {}


def champion_service(loop: LearningLoop, lineup: Lineup) -> Manifest:
    """Return the Service that leads to the champion, whatever KServe calls its predictor.

    For callers inside the cluster; only a gateway splits traffic.
    """
    spec = {
        "selector": selector(loop, lineups.leading(lineup)),
        "ports": [{"name": "http", "port": 80, "targetPort": PREDICTOR_PORT, "protocol": "TCP"}],
    }
    found = owned(loop, "v1", "Service") | {"spec": spec}
    found["metadata"]["name"] = champion_name(loop)
    return found


def champion_name(loop: LearningLoop) -> str:
    """Return the name of the Service that leads to the champion."""
    return f"{loop.name}-champion"


def selector(loop: LearningLoop, name: str) -> dict[str, str]:
    """Return the label that KServe gives the pods of a predictor."""
    return {"app": f"isvc.{lineups.deployment(loop.name, name)}"}


def disruption_budget(loop: LearningLoop) -> Manifest:
    """Return the budget that lets a node drain take one predictor at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {LOOP: loop.name}}}
    return owned(loop, "policy/v1", "PodDisruptionBudget") | {"spec": spec}


def owned(loop: LearningLoop, version: str, kind: str) -> Manifest:
    """Return an object of the loop's name, without a spec."""
    metadata = {
        "name": loop.name,
        "namespace": loop.metadata.namespace,
        "labels": {LOOP: loop.name, "app.kubernetes.io/managed-by": "driftloop"},
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
