"""Doctor: what an installation needs, looked at one by one; what is amiss says what to do."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftloop.adapters.kubernetes_objects import Absent, Objects
from driftloop.resources.conditions import Condition
from driftloop_contracts.errors import DriftloopError
from driftloop_contracts.object_store import ObjectStore, S3Store, open_store

PATIENCE = 5.0
"""Seconds a server has to answer."""
KINDS = {
    ("driftloop.io", "v1alpha1"): {"LearningLoop", "Retraining", "LoopEvent"},
    ("serving.kserve.io", "v1beta1"): {"InferenceService"},
}
GATEWAY = ("gateway.networking.k8s.io", "v1", {"Gateway", "HTTPRoute"})
SYSTEM = "driftloop-system"
RIGHTS = {
    "driftloop-controller": (
        "list learningloops.driftloop.io",
        "update learningloops.driftloop.io/status",
        "create retrainings.driftloop.io",
        "watch loopevents.driftloop.io",
        "patch inferenceservices.serving.kserve.io",
        "patch poddisruptionbudgets.policy",
        "get services",
        "get deployments.apps",
        "list endpointslices.discovery.k8s.io",
        "get httproutes.gateway.networking.k8s.io",
    ),
    "driftloop-receiver": (
        "create tokenreviews.authentication.k8s.io",
        "get learningloops.driftloop.io",
        "create loopevents.driftloop.io",
    ),
}
"""What each service must be allowed, as `kubectl auth can-i` names it."""
ADVICE = {
    "driftloop.io": "Apply manifests/crds.",
    "serving.kserve.io": "Install KServe 0.21, Standard mode.",
    "gateway.networking.k8s.io": "Canaries and components/gateway need them.",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``sound`` None: it was not told where to look."""

    what: str
    sound: bool | None
    says: str

    @property
    def amiss(self) -> bool:
        """Whether something must be done about it."""
        return self.sound is False


def findings(objects: Objects, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield all that can be found with an administrator's rights, in order."""
    yield _looked("API server", lambda: objects.version())
    yield from platform(objects, environ)
    yield _seen("KServe's version", lambda: _kserve(objects))
    yield _seen("Gateway API", _kinds(objects, *GATEWAY))
    for account in RIGHTS:
        yield _looked(f"rights of {account}", _rights(objects, account))


def platform(objects: Objects, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what loops cannot do without: kinds, pipeline server, object store."""
    for (group, version), kinds in KINDS.items():
        yield _looked(f"{group}/{version}", _kinds(objects, group, version, kinds))
    yield _asked("Kubeflow Pipelines", environ.get("DRIFTLOOP_KFP", ""), _pipelines)
    yield _asked("object store", environ.get("DRIFTLOOP_STORE", ""), _bucket(environ))


def condition(objects: Objects, environ: Mapping[str, str]) -> Condition:
    """Return as a loop's condition whether it finds all that it needs."""
    amiss = [f"{found.what}: {found.says}" for found in platform(objects, environ) if found.amiss]
    return Condition("PlatformReady", not amiss, "Amiss" if amiss else "Sound", " ".join(amiss))


def _kinds(objects: Objects, group: str, version: str, wanted: set[str]) -> Callable[[], str]:
    def look() -> str:
        missing = sorted(wanted - objects.kinds(group, version))
        if missing:
            raise DriftloopError(f"{', '.join(missing)} are not known here. {ADVICE[group]}")
        return ", ".join(sorted(wanted))

    return look


def _pipelines(address: str) -> str:
    url = f"{address.rstrip('/')}/apis/v2beta1/healthz"
    if not url.startswith(("http://", "https://")):
        raise DriftloopError("DRIFTLOOP_KFP must be an http(s) address.")
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - checked above
        found: dict[str, Any] = json.loads(answer.read(1 << 16))
    users = "multi-user" if found.get("multi_user") else "single-user"
    return f"version {found.get('tag_name') or 'unknown'} answers at {address}, {users}"


def _bucket(environ: Mapping[str, str]) -> Callable[[str], str]:
    def look(address: str) -> str:
        store = open_store(address, environ)
        # The controller's keys may list nothing else (resources/bucket_policies.py).
        store.list("doctor/retrainings/")
        return f"{address} can be listed{_versions(store)}"

    return look


def _versions(store: ObjectStore) -> str:
    if not isinstance(store, S3Store):
        return ""
    from driftloop.adapters import bucket

    try:
        kept = bucket.versioned(store)
    except DriftloopError:
        return "; these keys may not ask whether it keeps versions"
    return ", keeps versions" if kept else ", keeps no versions: run `driftloop bucket`"


def _kserve(objects: Objects) -> str:
    found = objects.get("Deployment", "kserve", "kserve-controller-manager")
    images = [item["image"] for item in found["spec"]["template"]["spec"]["containers"]]
    return ", ".join(image.rpartition("/")[2] for image in images)


def _rights(objects: Objects, account: str) -> Callable[[], str]:
    def look() -> str:
        lacking = [right for right in RIGHTS[account] if not _may(objects, account, right)]
        if lacking:
            raise DriftloopError(f"It may not {', '.join(lacking)}. Apply manifests/base.")
        return f"all {len(RIGHTS[account])} that it needs"

    return look


def _may(objects: Objects, account: str, right: str) -> bool:
    verb, _, named = right.partition(" ")
    resource, _, subresource = named.partition("/")
    name, _, group = resource.partition(".")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource}
    user = f"system:serviceaccount:{SYSTEM}:{account}"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    return bool(objects.create("SubjectAccessReview", "", review)["status"]["allowed"])


def _asked(what: str, address: str, look: Callable[[str], str]) -> Finding:
    if not address:
        return Finding(what, None, "not looked at: its address is not set")
    return _looked(what, lambda: look(address))


def _looked(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (DriftloopError, OSError, ValueError) as error:
        return Finding(what, False, str(error))


def _seen(what: str, look: Callable[[], str]) -> Finding:
    """Return what was found of something that nothing depends on."""
    try:
        return Finding(what, True, look())
    except Absent:
        return Finding(what, None, "not found where it is installed by default")
    except (DriftloopError, OSError, ValueError) as error:
        return Finding(what, None, str(error))
