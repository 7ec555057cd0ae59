"""Serving objects: a loop's InferenceService and disruption budget.

KServe's Standard mode, as a custom predictor (docs/adr/0009): one pod holds predictor and drift
sidecar and is one bundle. Both read the version from the pod's annotation, so a new bundle is a
new pod template: the Deployment brings the new pod up beside the old one, waits until it is
ready, then drains the old one.

Source: KServe 0.21, InferenceService v1beta1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from driftloop.loop import LearningLoop

Manifest = dict[str, Any]

BUNDLE = "driftloop.io/bundle"
"""Annotation of a pod: the version it serves."""
LOOP = "driftloop.io/loop"
"""Label of everything a loop owns."""
AUDIENCE = "driftloop"
"""Audience of the tokens that sidecars send with their events."""
AUTHORITIES = "/var/run/authorities"
"""Where a pod finds who it trusts over TLS."""
PREDICTOR_PORT, SIDECAR_PORT = 8080, 8085
PREDICTOR_LINGERS, SIDECAR_LINGERS = 5, 25
"""Seconds that each container goes on after its pod was told to end."""
SPOOL_MIB = 768
"""Size to which a sidecar's spool may grow while the object store is away."""
DRAIN_SECONDS = 60
"""Time a pod has to finish what is in flight and to write its last records."""


@dataclass(frozen=True)
class Platform:
    """Where the loops of this installation run and keep their data.

    ``image`` is used where a loop names none; ``credentials``: the Secret, in a loop's namespace,
    with the object store's keys and the online store's address; ``sink``: where sidecars send
    their events; ``replicas``: fewest and most pods; ``authorities``: the ConfigMap, in a loop's
    namespace, whose ``ca.crt`` holds who is trusted over TLS ('': those of the image); ``environ``:
    more settings of what serves.
    """

    image: str
    sidecar_image: str
    store: str
    sink: str
    credentials: str = "driftloop-credentials"
    service_account: str = "driftloop-predictor"
    replicas: tuple[int, int] = (1, 3)
    authorities: str = ""
    environ: dict[str, str] = field(default_factory=dict)

    def within(self, namespace: str) -> Platform:
        """Return the platform as loops of ``namespace`` see it: its part of the store is theirs."""
        return replace(self, store=f"{self.store}/{namespace}")


def objects(loop: LearningLoop, version: str, platform: Platform) -> list[Manifest]:
    """Return what serves bundle ``version`` of ``loop``, in the order to apply it."""
    return [
        inference_service(loop, version, platform),
        disruption_budget(loop),
    ]


def inference_service(loop: LearningLoop, version: str, platform: Platform) -> Manifest:
    """Return the loop's InferenceService serving ``version``."""
    least, most = platform.replicas
    predictor = {
        "annotations": {BUNDLE: version},
        "labels": {LOOP: loop.name},
        "minReplicas": least,
        "maxReplicas": most,
        "scaleMetric": "cpu",
        "scaleTarget": 70,
        "serviceAccountName": platform.service_account,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": DRAIN_SECONDS,
        "deploymentStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # KServe takes the first container for the predictor; it must have the name it has.
        "containers": [_predictor(loop, platform), _sidecar(loop, platform)],
        "volumes": _volumes(platform),
    }
    found = _object("serving.kserve.io/v1beta1", "InferenceService", loop, {"predictor": predictor})
    # KServe's shipped default is still Knative, so Standard is always said.
    found["metadata"]["annotations"] = {
        "serving.kserve.io/deploymentMode": "Standard",
        "serving.kserve.io/autoscalerClass": "hpa",
    }
    return found


def disruption_budget(loop: LearningLoop) -> Manifest:
    """Return the budget that lets a node drain take one predictor at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": {LOOP: loop.name}}}
    return _object("policy/v1", "PodDisruptionBudget", loop, spec)


def _predictor(loop: LearningLoop, platform: Platform) -> Manifest:
    environ = {
        "DRIFTLOOP_USECASE": loop.name,
        "DRIFTLOOP_PORT": str(PREDICTOR_PORT),
        "DRIFTLOOP_SIDECAR": f"http://127.0.0.1:{SIDECAR_PORT}/",
        "DRIFTLOOP_FEAST": "/scratch/feast",
        "DRIFTLOOP_SCRATCH": "/scratch/predictor",
    }
    container = _container(
        "kserve-container",
        loop.spec.image or platform.image,
        "driftloop.services.predictor",
        environ,
        platform,
    )
    ready = {"path": f"/v2/models/{loop.name}/ready", "port": PREDICTOR_PORT}
    return container | {
        "ports": [{"name": "http1", "containerPort": PREDICTOR_PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "failureThreshold": 3},
        # Its Service goes on sending for a moment after a pod is told to end.
        "lifecycle": _linger(PREDICTOR_LINGERS),
        "resources": _resources("250m", "1", "512Mi", "1Gi"),
    }


def _sidecar(loop: LearningLoop, platform: Platform) -> Manifest:
    environ = {
        "DRIFTLOOP_LOOP": loop.name,
        "DRIFTLOOP_PORT": str(SIDECAR_PORT),
        "DRIFTLOOP_SINK": platform.sink,
        "DRIFTLOOP_SCRATCH": "/scratch/sidecar",
        "DRIFTLOOP_TOKEN_FILE": "/var/run/driftloop/token",
        "DRIFTLOOP_SPOOL": "/spool",
        "DRIFTLOOP_SPOOL_BYTES": f"{SPOOL_MIB}MiB",
    }
    image = platform.sidecar_image
    container = _container("drift-sidecar", image, "drift_sidecar", environ, platform)
    ready = {"path": "/readyz", "port": SIDECAR_PORT}
    return container | {
        "ports": [{"name": "drift", "containerPort": SIDECAR_PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "failureThreshold": 3},
        # The predictor, told to end at the same time, hands its last records over first.
        "lifecycle": _linger(SIDECAR_LINGERS),
        "resources": _resources("100m", "1", "384Mi", "768Mi"),
        "volumeMounts": [
            *container["volumeMounts"],
            {"name": "token", "mountPath": "/var/run/driftloop", "readOnly": True},
            {"name": "spool", "mountPath": "/spool"},
        ],
    }


def _volumes(platform: Platform) -> list[Manifest]:
    # The sidecar's token is good for the receiver and nothing else.
    token = {"audience": AUDIENCE, "expirationSeconds": 3600, "path": "token"}
    volumes: list[Manifest] = [
        {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
        # Beyond its limit a volume ends the pod, so the spool keeps well below: beside its
        # segments lie events, digests and a checkpoint.
        {"name": "spool", "emptyDir": {"sizeLimit": f"{SPOOL_MIB + 256}Mi"}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
    ]
    if platform.authorities:
        volumes.append({"name": "authorities", "configMap": {"name": platform.authorities}})
    return volumes


def _container(
    name: str, image: str, module: str, environ: dict[str, str], platform: Platform
) -> Manifest:
    """Return what both containers share: command, identity, settings and confinement."""
    # The root is read-only: what libraries write beside our own files goes to the scratch volume.
    written = {"HOME": "/scratch", "TMPDIR": "/scratch"}
    shared = {"DRIFTLOOP_STORE": platform.store, "DRIFTLOOP_HOST": "0.0.0.0"}
    mounts: list[Manifest] = [{"name": "scratch", "mountPath": "/scratch"}]
    if platform.authorities:
        written |= {"SSL_CERT_FILE": f"{AUTHORITIES}/ca.crt"}
        mounts.append({"name": "authorities", "mountPath": AUTHORITIES, "readOnly": True})
    settings = platform.environ | shared | written | environ
    told = [
        _from_pod("DRIFTLOOP_BUNDLE", f"metadata.annotations['{BUNDLE}']"),
        _from_pod("POD_UID", "metadata.uid"),
    ]
    return {
        "name": name,
        "image": image,
        "command": ["python", "-m", module],
        "env": [{"name": key, "value": value} for key, value in settings.items()] + told,
        "envFrom": [{"secretRef": {"name": platform.credentials, "optional": True}}],
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _linger(seconds: int) -> Manifest:
    return {"preStop": {"exec": {"command": ["sleep", str(seconds)]}}}


def _from_pod(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _resources(cpu: str, cpu_limit: str, memory: str, memory_limit: str) -> Manifest:
    return {
        "requests": {"cpu": cpu, "memory": memory},
        "limits": {"cpu": cpu_limit, "memory": memory_limit},
    }


def _object(version: str, kind: str, loop: LearningLoop, spec: Manifest) -> Manifest:
    metadata = {
        "name": loop.name,
        "namespace": loop.metadata.namespace,
        "labels": {LOOP: loop.name, "app.kubernetes.io/managed-by": "driftloop"},
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
