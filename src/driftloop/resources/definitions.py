"""CustomResourceDefinitions: LearningLoop, Retraining and LoopEvent, from their models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from driftloop.loop import NAME, LoopSpec
from driftloop.resources import schema
from driftloop.resources.models import (
    LoopEventSpec,
    LoopEventStatus,
    LoopStatus,
    RetrainingSpec,
    RetrainingStatus,
)

GROUP, VERSION = "driftloop.io", "v1alpha1"

Manifest = dict[str, Any]
Column = tuple[str, str, str]
"""A printer column: its heading, its type and its JSON path."""

NAMED = {
    "rule": f"self.metadata.name.matches('{NAME}')",
    "message": "metadata.name must be 1 to 40 of a-z, 0-9 and '-', begin with a letter and not "
    "end with '-'",
}
FIXED = {"rule": "self == oldSelf", "message": "spec cannot be changed: it is what was decided"}
KEYED = {
    ("spec", "features", "columns"): "name",
    ("spec", "data", "sources"): "name",
    ("status", "conditions"): "type",
}
"""Lists whose items are told apart by one field, so no two may share it."""


@dataclass(frozen=True)
class Resource:
    """One kind: what it is called, what it holds, what `kubectl get` prints of it."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    spec: type[BaseModel]
    status: type[BaseModel]
    columns: tuple[Column, ...]
    rules: tuple[dict[str, str], ...] = ()
    spec_rules: tuple[dict[str, str], ...] = ()


AGE: Column = ("Age", "date", ".metadata.creationTimestamp")

RESOURCES = (
    Resource(
        "LearningLoop",
        "learningloops",
        ("loop", "loops"),
        LoopSpec,
        LoopStatus,
        (
            ("Stage", "string", ".status.stage"),
            ("Champion", "string", ".status.champion"),
            ("Drift", "string", ".status.drift"),
            ("Last-Retrain", "date", ".status.lastRetraining"),
            ("KPI", "string", ".status.kpi"),
            AGE,
        ),
        rules=(NAMED,),
    ),
    Resource(
        "Retraining",
        "retrainings",
        ("rt",),
        RetrainingSpec,
        RetrainingStatus,
        (
            ("Loop", "string", ".spec.loop"),
            ("Cause", "string", ".spec.causes[*].kind"),
            ("Phase", "string", ".status.phase"),
            ("Verdict", "string", ".status.verdict"),
            ("Version", "string", ".status.version"),
            AGE,
        ),
        spec_rules=(FIXED,),
    ),
    Resource(
        "LoopEvent",
        "loopevents",
        (),
        LoopEventSpec,
        LoopEventStatus,
        (
            ("Loop", "string", ".spec.loop"),
            ("Type", "string", ".spec.event.type"),
            ("Taken", "boolean", ".status.taken"),
            AGE,
        ),
        spec_rules=(FIXED,),
    ),
)


def definition(resource: Resource) -> Manifest:
    """Return the CustomResourceDefinition of ``resource``."""
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "shortNames": list(resource.short_names),
        "categories": ["driftloop"],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _whole(resource)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path} for name, kind, path in resource.columns
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _whole(resource: Resource) -> Manifest:
    spec, status = schema.of(resource.spec), schema.of(resource.status)
    if resource.spec_rules:
        spec["x-kubernetes-validations"] = list(resource.spec_rules)
    whole: Manifest = {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }
    if resource.rules:
        whole["x-kubernetes-validations"] = list(resource.rules)
    for path, key in KEYED.items():
        _key(whole, path, key)
    return whole


def _key(whole: Manifest, path: tuple[str, ...], key: str) -> None:
    """Mark the list at ``path`` as told apart by ``key``, where this resource has that list."""
    node: Manifest = whole
    for name in path:
        node = node.get("properties", {}).get(name, {})
    if node:
        node |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
