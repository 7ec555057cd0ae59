"""A stand-in for KServe's controller in Standard mode: InferenceServices become Deployments.

``python kserve_controller.py``, KUBECONFIG in the environment. What it copies, from KServe 0.21:
- the predictor of an InferenceService NAME runs as the Deployment NAME-predictor behind a Service
  of that name, port 80 (pkg/controller/v1beta1/inferenceservice/components/predictor.go,
  reconcilers/raw);
- a custom predictor's pod fields, containers and volumes included, are the pod's; its annotations
  and labels too;
- for a predictor with a model they come from the ServingRuntime that model.runtime names. Without
  a storageUri KServe takes that one for a multi-model server and adds a container that pulls
  models (utils.go, IsMMSPredictor); this does not, so that v0.1.0, which asked for that, runs;
- deploymentStrategy is the Deployment's; minReplicas its replicas;
- the condition PredictorReady, and Ready after it, follow the Deployment's Available.
Left out: storage initializer, logger, autoscaler, ingress, canaries, every other mode.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from driftloop.adapters.kubernetes_objects import PATHS, Absent, Objects, Stale

PATHS["ServingRuntime"] = "apis/serving.kserve.io/v1alpha1/namespaces/{namespace}/servingruntimes"
PATHS["Service"] = "api/v1/namespaces/{namespace}/services"

OWN = {"minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "model", "labels"}
OWN |= {"annotations", "deploymentStrategy"}
"""Fields of a predictor that are not its pod's."""


def deployment(service: dict[str, Any], runtime: dict[str, Any] | None) -> dict[str, Any]:
    predictor, name = service["spec"]["predictor"], service["metadata"]["name"]
    label = {"app": f"isvc.{name}-predictor"}
    labels = label | predictor.get("labels", {})
    pod = {key: value for key, value in predictor.items() if key not in OWN}
    if runtime is not None:
        pod |= {key: runtime["spec"][key] for key in ("containers", "volumes")}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(service),
        "spec": {
            "replicas": predictor["minReplicas"],
            "selector": {"matchLabels": label},
            "strategy": predictor["deploymentStrategy"],
            "template": {
                "metadata": {"labels": labels, "annotations": predictor.get("annotations", {})},
                "spec": pod,
            },
        },
    }


def metadata(service: dict[str, Any]) -> dict[str, Any]:
    found = service["metadata"]
    owner = {key: service[key] for key in ("apiVersion", "kind")}
    owner |= {"name": found["name"], "uid": found["uid"], "controller": True}
    return {
        "name": f"{found['name']}-predictor",
        "namespace": found["namespace"],
        "ownerReferences": [owner],
    }


def reconcile(service: dict[str, Any], objects: Objects) -> None:
    namespace = service["metadata"]["namespace"]
    model = service["spec"]["predictor"].get("model")
    runtime = objects.get("ServingRuntime", namespace, model["runtime"]) if model else None
    wanted = deployment(service, runtime)
    found = objects.apply("Deployment", namespace, wanted)
    ports = [{"name": "http1", "port": 80, "targetPort": 8080}]
    front = {"apiVersion": "v1", "kind": "Service", "metadata": metadata(service)}
    front |= {"spec": {"selector": wanted["spec"]["selector"]["matchLabels"], "ports": ports}}
    objects.apply("Service", namespace, front)
    known = found.get("status", {}).get("conditions", ())
    available = any(c["type"] == "Available" and c["status"] == "True" for c in known)
    status = "True" if available else "False"
    conditions = [{"type": kind, "status": status} for kind in ("PredictorReady", "Ready")]
    if (service.get("status") or {}).get("conditions") != conditions:
        content = service | {"status": {"conditions": conditions}}
        objects.replace_status("InferenceService", namespace, content)


def main() -> None:
    objects = Objects()
    while True:
        try:
            for service in objects.list("InferenceService"):
                try:
                    reconcile(service, objects)
                except (Absent, Stale):
                    continue
        except Exception:
            logging.exception("The round failed; the next one tries again.")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
