"""Structural schemas: what the API server accepts, made from the models that read it.

Source: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions", structural
schemas: one type a node, no references, no ``additionalProperties: false``, nullable instead of
a union with null.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

Schema = dict[str, Any]

DROPPED = {"title", "additionalProperties", "$defs", "prefixItems", "const", "anyOf", "$ref"}
"""JSON Schema's words that a structural schema has no place for, or says otherwise."""


def of(model: type[BaseModel]) -> Schema:
    """Return the structural schema of ``model``'s JSON, defaults and descriptions included."""
    whole = model.model_json_schema(by_alias=True)
    return _structural(whole, whole.get("$defs", {}))


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _resolved(node, definitions)
    found = {key: value for key, value in node.items() if key not in DROPPED}
    if "const" in node:
        found["enum"] = [node["const"]]
    if "description" in found:
        found["description"] = _described(found["description"])
    if _holds_null(found.get("default", "")):
        del found["default"]
    found |= _bounds(node)
    found |= _children(node, definitions)
    return found


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """Return ``node`` with its reference, or its one alternative to null, in place."""
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _resolved(target, definitions) | {k: v for k, v in node.items() if k != "$ref"}
    if "anyOf" in node:
        only, *others = [option for option in node["anyOf"] if option.get("type") != "null"]
        if others:  # Such as a number or a text: a structural schema has no union of types.
            only = {"x-kubernetes-preserve-unknown-fields": True}
        own = {key: value for key, value in node.items() if key != "anyOf"}
        return _resolved(only, definitions) | own | {"nullable": True}
    return node


def _bounds(node: Schema) -> Schema:
    """Return open bounds as OpenAPI 3.0 writes them: the number, and that it is excluded."""
    found: Schema = {}
    for bound in ("Minimum", "Maximum"):
        value = node.get(f"exclusive{bound}")
        if value is not None:
            found |= {bound.lower(): value, f"exclusive{bound}": True}
    return found


def _children(node: Schema, definitions: dict[str, Schema]) -> Schema:
    if "properties" in node:
        properties = node["properties"].items()
        return {"properties": {name: _structural(child, definitions) for name, child in properties}}
    if node.get("type") == "object":
        return {"x-kubernetes-preserve-unknown-fields": True}
    items = node.get("items") or (node.get("prefixItems") or [None])[0]
    return {"items": _structural(items, definitions)} if items else {}


def _holds_null(default: object) -> bool:
    return default is None or (isinstance(default, list) and None in default)


def _described(docstring: str) -> str:
    """Return a docstring as `kubectl explain` should show it: one paragraph, JSON's names.

    >>> _described("The sample; ``min_rows``: of a window.")
    'The sample; minRows: of a window.'
    """
    flat = re.sub(r"\s+", " ", docstring).strip()
    return re.sub(r"``(.+?)``", lambda name: to_camel(name[1]), flat)
