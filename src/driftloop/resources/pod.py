"""Pod: predictor and drift sidecar, which together are one bundle.

Both read the version from the pod's annotation, so a new bundle is a new pod template: its pod
comes up beside the old one, is waited for until it is ready, and only then the old one drains.
"""

from __future__ import annotations

from typing import Any

from driftloop.loop import LearningLoop
from driftloop.resources.lineup import BUNDLE
from driftloop.resources.platform import Platform
from driftloop_contracts import bundle

Manifest = dict[str, Any]

LOOP = "driftloop.io/loop"
"""Label of everything a loop owns."""
AUDIENCE = "driftloop"
"""Audience of the tokens that sidecars and jobs send with their events."""
AUTHORITIES = "/var/run/authorities"
"""Where a pod finds who it trusts over TLS."""
TOKEN_FILE = "/var/run/driftloop/token"
TOKEN_MOUNT = {"name": "token", "mountPath": "/var/run/driftloop", "readOnly": True}
PREDICTOR_PORT, SIDECAR_PORT = 8080, 8085
PREDICTOR_LINGERS, SIDECAR_LINGERS = 5, 25
"""Seconds that each container goes on after its pod was told to end."""
SPOOL_MIB = 768
"""Size to which a sidecar's spool may grow while the object store is away."""
DRAIN_SECONDS = 60
"""Time a pod has to finish what is in flight and to write its last records."""
STORAGE_URI = "STORAGE_URI"
"""By this variable KServe knows a custom predictor's model; without one it refuses a canary."""
UNPRIVILEGED = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONFINED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def fields(
    loop: LearningLoop, version: str, platform: Platform, *, splits: bool = False
) -> Manifest:
    """Return a predictor's fields for ``version``: those of its pods, and how they change.

    ``splits``: whether it may stand beside another one, or ever did.
    """
    found: Manifest = {
        "annotations": {BUNDLE: version},
        "labels": {LOOP: loop.name},
        "serviceAccountName": platform.service_account,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": DRAIN_SECONDS,
        "deploymentStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        },
        "securityContext": UNPRIVILEGED | {"fsGroup": UNPRIVILEGED["runAsUser"]},
        # KServe takes the first container for the predictor; it must have the name it has.
        "containers": [_predictor(loop, platform), _sidecar(loop, platform)],
        "volumes": _volumes(platform),
    }
    if splits:
        uri = f"{platform.store}/{bundle.key(loop.name, version)}"
        found["containers"][0]["env"].append({"name": STORAGE_URI, "value": uri})
        found["initContainers"] = [_no_initializer(loop, platform)]
    return found


def _no_initializer(loop: LearningLoop, platform: Platform) -> Manifest:
    """Return what keeps KServe from downloading the bundle as well, without a look at digests.

    It adds its own initializer to a pod with STORAGE_URI unless there is one of that name.
    """
    return {
        "name": "storage-initializer",
        "image": loop.spec.image or platform.image,
        "command": ["true"],
        "securityContext": CONFINED,
        "resources": resources("10m", "100m", "16Mi", "64Mi"),
    }


def _predictor(loop: LearningLoop, platform: Platform) -> Manifest:
    environ = {
        "DRIFTLOOP_USECASE": loop.name,
        "DRIFTLOOP_PORT": str(PREDICTOR_PORT),
        "DRIFTLOOP_SIDECAR": f"http://127.0.0.1:{SIDECAR_PORT}/",
        "DRIFTLOOP_FEAST": "/scratch/feast",
        "DRIFTLOOP_SCRATCH": "/scratch/predictor",
    }
    image, module = loop.spec.image or platform.image, "driftloop.services.predictor"
    serving = _serving("kserve-container", image, module, environ, platform)
    ready = {"path": f"/v2/models/{loop.name}/ready", "port": PREDICTOR_PORT}
    return serving | {
        "ports": [{"name": "http1", "containerPort": PREDICTOR_PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "failureThreshold": 3},
        # Its Service goes on sending for a moment after a pod is told to end.
        "lifecycle": _linger(PREDICTOR_LINGERS),
        "resources": resources("250m", "1", "512Mi", "1Gi"),
    }


def _sidecar(loop: LearningLoop, platform: Platform) -> Manifest:
    environ = {
        "DRIFTLOOP_LOOP": loop.name,
        "DRIFTLOOP_PORT": str(SIDECAR_PORT),
        "DRIFTLOOP_SINK": platform.sink,
        "DRIFTLOOP_SCRATCH": "/scratch/sidecar",
        "DRIFTLOOP_TOKEN_FILE": TOKEN_FILE,
        "DRIFTLOOP_SPOOL": "/spool",
        "DRIFTLOOP_SPOOL_BYTES": f"{SPOOL_MIB}MiB",
    }
    image = platform.sidecar_image
    sidecar = _serving("drift-sidecar", image, "drift_sidecar", environ, platform)
    ready = {"path": "/readyz", "port": SIDECAR_PORT}
    return sidecar | {
        "ports": [{"name": "drift", "containerPort": SIDECAR_PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": ready, "periodSeconds": 2, "failureThreshold": 3},
        # The predictor, told to end at the same time, hands its last records over first.
        "lifecycle": _linger(SIDECAR_LINGERS),
        "resources": resources("100m", "1", "384Mi", "768Mi"),
        "volumeMounts": [
            *sidecar["volumeMounts"],
            TOKEN_MOUNT,
            {"name": "spool", "mountPath": "/spool"},
        ],
    }


def _volumes(platform: Platform) -> list[Manifest]:
    return [
        scratch(),
        # Beyond its limit a volume ends the pod, so the spool keeps well below: beside its
        # segments lie events, digests and a checkpoint.
        {"name": "spool", "emptyDir": {"sizeLimit": f"{SPOOL_MIB + 256}Mi"}},
        token(),
        *authorities(platform),
    ]


def scratch() -> Manifest:
    """Return the volume for what libraries and we write."""
    return {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}}


def token() -> Manifest:
    """Return the volume with a token that is good for the receiver and nothing else."""
    made = {"audience": AUDIENCE, "expirationSeconds": 3600, "path": "token"}
    return {"name": "token", "projected": {"sources": [{"serviceAccountToken": made}]}}


def authorities(platform: Platform) -> list[Manifest]:
    """Return the volume with who is trusted over TLS, where the platform names it."""
    name = platform.authorities
    return [{"name": "authorities", "configMap": {"name": name}}] if name else []


def container(
    name: str, image: str, module: str, environ: dict[str, str], platform: Platform
) -> Manifest:
    """Return what all containers share: command, settings and confinement."""
    # The root is read-only: what libraries write beside our own files goes to the scratch volume.
    written = {"HOME": "/scratch", "TMPDIR": "/scratch"}
    shared = {"DRIFTLOOP_STORE": platform.store, "DRIFTLOOP_HOST": "0.0.0.0"}
    mounts: list[Manifest] = [{"name": "scratch", "mountPath": "/scratch"}]
    if platform.authorities:
        written |= {"SSL_CERT_FILE": f"{AUTHORITIES}/ca.crt"}
        mounts.append({"name": "authorities", "mountPath": AUTHORITIES, "readOnly": True})
    settings = platform.environ | shared | written | environ
    return {
        "name": name,
        "image": image,
        "command": ["python", "-m", module],
        "env": [{"name": key, "value": value} for key, value in settings.items()],
        "envFrom": [{"secretRef": {"name": platform.credentials, "optional": True}}],
        "volumeMounts": mounts,
        "securityContext": CONFINED,
    }


def _serving(
    name: str, image: str, module: str, environ: dict[str, str], platform: Platform
) -> Manifest:
    """Return a container that is told by its pod which bundle it serves."""
    found = container(name, image, module, environ, platform)
    found["env"] += [
        _from_pod("DRIFTLOOP_BUNDLE", f"metadata.annotations['{BUNDLE}']"),
        _from_pod("POD_UID", "metadata.uid"),
    ]
    return found


def _linger(seconds: int) -> Manifest:
    return {"preStop": {"exec": {"command": ["sleep", str(seconds)]}}}


def _from_pod(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def resources(cpu: str, cpu_limit: str, memory: str, memory_limit: str) -> Manifest:
    """Return what a container asks for, and what it may take at most."""
    return {
        "requests": {"cpu": cpu, "memory": memory},
        "limits": {"cpu": cpu_limit, "memory": memory_limit},
    }
