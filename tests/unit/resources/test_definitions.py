"""The committed CustomResourceDefinitions are those of the models, and say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from driftloop import quantities
from driftloop.loop import LoopSpec
from driftloop.resources import definitions, documents, schema

CRDS = Path(__file__).parents[3] / "manifests" / "crds"
FORBIDDEN = {"$ref", "anyOf", "allOf", "oneOf", "const", "prefixItems", "additionalProperties"}


@pytest.mark.parametrize("resource", definitions.RESOURCES, ids=lambda r: r.kind)
def test_the_committed_definition_is_the_models(resource: definitions.Resource) -> None:
    committed = (CRDS / f"{resource.plural}.yaml").read_text()
    assert committed == documents.dump([definitions.definition(resource)]), "run: make crds"


def nodes(node: Any) -> Any:
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    for child in node if isinstance(node, list) else ():
        yield from nodes(child)


@pytest.mark.parametrize("resource", definitions.RESOURCES, ids=lambda r: r.kind)
def test_every_node_is_structural(resource: definitions.Resource) -> None:
    (version,) = definitions.definition(resource)["spec"]["versions"]
    for node in nodes(version["schema"]):
        assert not FORBIDDEN & set(node)
        assert node.get("default", "") is not None


TEXTS = [
    "90d", "0s", "1.5d", "d", "90", "1w", "-1d", "5%", "2.5%", "100%", "100.0%", "100.5%", "101%",
    "%", "0.05", "1 per 90d", "2.5 per 1h", "1 per", "per 90d", "", "1  per 90d",
]  # fmt: skip


@pytest.mark.parametrize("quantity", ["Duration", "Share", "PerTime"])
@pytest.mark.parametrize("text", TEXTS)
def test_the_server_and_the_reader_accept_the_same_text(quantity: str, text: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(getattr(quantities, quantity))
    (rule,) = adapter.json_schema()["x-kubernetes-validations"]
    pattern = re.fullmatch(r"self\.matches\('(.+)'\)", rule["rule"])
    assert pattern is not None
    accepted = re.search(pattern[1].replace("\\\\", "\\"), text) is not None
    try:
        adapter.validate_python(text)
        read = True
    except ValidationError:
        read = False
    assert accepted == read


def test_the_ads_loop_has_no_key_that_the_definition_lacks() -> None:
    loop = yaml.safe_load((CRDS.parents[1] / "usecases/ads_ctr/loop.yaml").read_text())
    assert _unknown(loop["spec"], schema.of(LoopSpec)) == []


def _unknown(value: Any, node: dict[str, Any], path: str = "spec") -> list[str]:
    if node.get("x-kubernetes-preserve-unknown-fields"):
        return []
    if isinstance(value, dict):
        known = node.get("properties", {})
        odd = [f"{path}.{name}" for name in value if name not in known]
        inner = [_unknown(v, known[k], f"{path}.{k}") for k, v in value.items() if k in known]
        return odd + sum(inner, [])
    if isinstance(value, list):
        return sum((_unknown(item, node["items"], path) for item in value), [])
    return []
