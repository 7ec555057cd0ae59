"""Doctor: what an installation needs, looked at one by one; what is amiss says what to do."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from driftloop.adapters.kubernetes_objects import Objects
from driftloop_contracts.errors import DriftloopError
from driftloop_contracts.object_store import open_store

PATIENCE = 5.0
"""Seconds a server has to answer."""
KINDS = {
    ("driftloop.io", "v1alpha1"): {"LearningLoop", "Retraining", "LoopEvent"},
    ("serving.kserve.io", "v1beta1"): {"InferenceService"},
}
ADVICE = {
    "driftloop.io": "Apply manifests/crds.",
    "serving.kserve.io": "Install KServe 0.21, Standard mode.",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``sound`` None: it was not told where to look."""

    what: str
    sound: bool | None
    says: str


def findings(objects: Objects, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what was found of API server, kinds, pipeline server and object store, in order."""
    yield _looked("API server", lambda: objects.version())
    for (group, version), kinds in KINDS.items():
        yield _looked(f"{group}/{version}", _kinds(objects, group, version, kinds))
    yield _asked("Kubeflow Pipelines", environ.get("DRIFTLOOP_KFP", ""), _pipelines)
    yield _asked("object store", environ.get("DRIFTLOOP_STORE", ""), _bucket(environ))


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
    return f"answers at {address}, {'multi' if found.get('multi_user') else 'single'}-user"


def _bucket(environ: Mapping[str, str]) -> Callable[[str], str]:
    def look(address: str) -> str:
        open_store(address, environ).list("doctor/")
        return f"{address} can be listed"

    return look


def _asked(what: str, address: str, look: Callable[[str], str]) -> Finding:
    if not address:
        return Finding(what, None, "not looked at: its address is not set")
    return _looked(what, lambda: look(address))


def _looked(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (DriftloopError, OSError, ValueError) as error:
        return Finding(what, False, str(error))
