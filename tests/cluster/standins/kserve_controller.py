"""A stand-in for KServe's controller in Standard mode: InferenceServices become Deployments.

``python kserve_controller.py``, KUBECONFIG in the environment. What it copies, from KServe 0.21:
- the predictor of an InferenceService NAME runs as the Deployment NAME-predictor behind a Service
  of that name, port 80 (pkg/controller/v1beta1/inferenceservice/components/predictor.go,
  reconcilers/raw); one with a name as NAME-<name>-predictor;
- a custom predictor's pod fields, containers and volumes included, are the pod's; its annotations
  and labels too;
- for a predictor with a model they come from the ServingRuntime that model.runtime names. Without
  a storageUri KServe takes that one for a multi-model server and adds a container that pulls
  models (utils.go, IsMMSPredictor); this does not, so that v0.1.0, which asked for that, runs;
- deploymentStrategy is the Deployment's; minReplicas, less those of ready canaries, the fewest of
  its replicas: an autoscaler never takes one away here, as none does within minutes;
- a canary is a predictor of its own, and ready with its first available pod; canaries come first,
  then every Deployment and Service with a name that is not expected goes, then the stable one
  comes (reconcileCanaryDeployments, adjustStableMinReplicasForCanaries);
- the HTTPRoutes NAME and NAME-predictor give a ready canary its percent, the stable one the rest
  (applyCanaryWeights), and are written last, unless a pod of the stable one is missing;
- a canary, and another name for the predictor, are refused as by validateCanarySpecs and
  validatePredictorNameChange, but here in the log: no webhook runs;
- the condition PredictorReady, and Ready after it, follow the Deployment's Available.
Left out: storage initializer, logger, autoscaler, every other mode.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any

from driftloop.adapters.kubernetes_objects import PATHS, Absent, Objects, Stale

PATHS["ServingRuntime"] = "apis/serving.kserve.io/v1alpha1/namespaces/{namespace}/servingruntimes"

OWN = {"name", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "model", "labels"}
OWN |= {"annotations", "deploymentStrategy"}
"""Fields of a predictor that are not its pod's."""
SERVICE = "serving.kserve.io/inferenceservice"
SCALING = ("maxReplicas", "scaleMetric", "scaleTarget")
Manifest = dict[str, Any]


def called(service: Manifest, predictor: Manifest) -> str:
    names = service["metadata"]["name"], predictor.get("name", ""), "predictor"
    return "-".join(name for name in names if name)


def deployment(
    service: Manifest, predictor: Manifest, replicas: int, runtime: Manifest | None
) -> Manifest:
    label = {"app": f"isvc.{called(service, predictor)}"}
    labels = label | predictor.get("labels", {})
    pod = {key: value for key, value in predictor.items() if key not in OWN}
    if runtime is not None:
        pod |= {key: runtime["spec"][key] for key in ("containers", "volumes")}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(service, called(service, predictor)),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": label},
            "strategy": predictor["deploymentStrategy"],
            "template": {
                "metadata": {"labels": labels, "annotations": predictor.get("annotations", {})},
                "spec": pod,
            },
        },
    }


def metadata(service: Manifest, name: str) -> Manifest:
    found = service["metadata"]
    owner = {key: service[key] for key in ("apiVersion", "kind")}
    owner |= {"name": found["name"], "uid": found["uid"], "controller": True}
    return {
        "name": name,
        "namespace": found["namespace"],
        "labels": {SERVICE: found["name"]},
        "ownerReferences": [owner],
    }


def predict(service: Manifest, predictor: Manifest, replicas: int, objects: Objects) -> Manifest:
    """Make a predictor's Deployment and Service so; return the Deployment."""
    namespace, model = service["metadata"]["namespace"], predictor.get("model")
    runtime = objects.get("ServingRuntime", namespace, model["runtime"]) if model else None
    wanted = deployment(service, predictor, replicas, runtime)
    with suppress(Absent):
        live = objects.get("Deployment", namespace, wanted["metadata"]["name"])
        wanted["spec"]["replicas"] = max(replicas, live["spec"]["replicas"])
    found = objects.apply("Deployment", namespace, wanted)
    ports = [{"name": "http1", "port": 80, "targetPort": 8080}]
    front = {"apiVersion": "v1", "kind": "Service"}
    front |= {"metadata": metadata(service, called(service, predictor))}
    front |= {"spec": {"selector": wanted["spec"]["selector"]["matchLabels"], "ports": ports}}
    objects.apply("Service", namespace, front)
    return found


def canaries(service: Manifest, objects: Objects) -> list[Manifest]:
    """Make the canaries so; return their statuses."""
    statuses = []
    for entry in service["spec"].get("canary", ()):
        predictor = service["spec"]["predictor"] | entry["predictor"]
        found = predict(service, predictor, entry["predictor"]["minReplicas"], objects)
        statuses.append(
            {
                "name": entry["predictor"]["name"],
                "ready": found.get("status", {}).get("availableReplicas", 0) > 0,
                "trafficPercent": entry["trafficPercent"],
            }
        )
    return statuses


def end_orphans(service: Manifest, objects: Objects) -> None:
    spec, namespace = service["spec"], service["metadata"]["namespace"]
    predictors = [spec["predictor"], *(entry["predictor"] for entry in spec.get("canary", ()))]
    expected = {called(service, one) for one in predictors}
    selector = f"{SERVICE}={service['metadata']['name']}"
    for kind in ("Deployment", "Service"):
        for found in objects.list(kind, namespace, selector):
            if found["metadata"]["name"] not in expected:
                objects.delete(kind, namespace, found["metadata"]["name"])


def fewest(service: Manifest, statuses: list[Manifest]) -> int:
    ready = {one["name"] for one in statuses if one["ready"]}
    entries = (entry["predictor"] for entry in service["spec"].get("canary", ()))
    beside = sum(one["minReplicas"] for one in entries if one["name"] in ready)
    least: int = service["spec"]["predictor"]["minReplicas"]
    return max(least - beside, 1) if beside else least


def routes(service: Manifest, statuses: list[Manifest], objects: Objects) -> None:
    shares = {one["name"]: one["trafficPercent"] for one in statuses if one["ready"]}
    weights = [(service["spec"]["predictor"], 100 - sum(shares.values()))]
    entries = (entry["predictor"] for entry in service["spec"].get("canary", ()))
    weights += [(one, shares[one["name"]]) for one in entries if one["name"] in shares]
    backends = [{"name": called(service, p), "port": 80, "weight": w} for p, w in weights]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    for own in (f"{name}-predictor", name):
        parent = {"name": "kserve-ingress-gateway", "namespace": "kserve"}
        spec = {"parentRefs": [parent], "hostnames": [f"{own}-{namespace}.example.com"]}
        spec |= {"rules": [{"backendRefs": backends}]}
        route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
        route |= {"metadata": metadata(service, own), "spec": spec}
        objects.apply("HTTPRoute", namespace, route)


def refusal(service: Manifest, before: Manifest) -> str:
    """Return why a webhook of KServe's would refuse this, '' where it would not."""
    predictor, canary = service["spec"]["predictor"], service["spec"].get("canary", ())
    if canary and uri(predictor) is None:
        return "canary requires a stable predictor with a model"
    for entry in canary:
        if any(field in entry["predictor"] for field in SCALING):
            return "a canary uses fixed replicas"
        if entry["predictor"]["minReplicas"] > predictor["minReplicas"]:
            return "a canary's minReplicas must not exceed the stable predictor's"
        if entry["predictor"]["name"] == predictor.get("name"):
            return "a canary's name conflicts with the stable predictor's"
    was = before.get("spec", {}).get("predictor", predictor)
    renamed = was.get("name") != predictor.get("name")
    if renamed and uri(was) == uri(predictor):
        return "predictor.name change requires a model change"
    return ""


def uri(predictor: Manifest) -> str | None:
    environ = (predictor.get("containers") or [{}])[0].get("env", ())
    return next((one.get("value") for one in environ if one["name"] == "STORAGE_URI"), None)


def reconcile(service: Manifest, objects: Objects) -> None:
    namespace = service["metadata"]["namespace"]
    statuses = canaries(service, objects)
    end_orphans(service, objects)
    found = predict(service, service["spec"]["predictor"], fewest(service, statuses), objects)
    known = found.get("status", {}).get("conditions", ())
    available = any(c["type"] == "Available" and c["status"] == "True" for c in known)
    if available:
        routes(service, statuses, objects)
    status = "True" if available else "False"
    conditions = [{"type": kind, "status": status} for kind in ("PredictorReady", "Ready")]
    wanted: Manifest = {"conditions": conditions}
    if statuses:
        wanted["canaryStatuses"] = statuses
    if service.get("status") != wanted:
        objects.replace_status("InferenceService", namespace, service | {"status": wanted})


def main() -> None:
    objects, before = Objects(), {}
    while True:
        try:
            for service in objects.list("InferenceService"):
                key = service["metadata"]["uid"]
                why = refusal(service, before.get(key, {}))
                if why:
                    logging.error("refused: %s", why)
                    continue
                before[key] = service
                try:
                    reconcile(service, objects)
                except (Absent, Stale):
                    continue
        except Exception:
            logging.exception("The round failed; the next one tries again.")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
