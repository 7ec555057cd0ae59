"""The sidecar's example of an InferenceService has only fields of KServe and Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kserve
import pytest
import yaml
from kubernetes import client

README = (Path(__file__).parents[3] / "sidecar" / "README.md").read_text()


@pytest.fixture
def example() -> dict[str, Any]:
    (found,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    loaded: dict[str, Any] = yaml.safe_load(found)
    return loaded


def test_every_field_is_one_of_their_models(example: dict[str, Any]) -> None:
    assert list(unknown(example, "V1beta1InferenceService")) == []


@pytest.mark.parametrize(
    "path", [["metadata"], ["spec", "predictor", "containers", 0, "readinessProbe", "httpGet"]]
)
def test_a_field_of_no_model_is_found(example: dict[str, Any], path: list[Any]) -> None:
    part: Any = example
    for key in path:
        part = part[key]
    part["wrong"] = 1
    assert list(unknown(example, "V1beta1InferenceService")) == ["wrong"]


def test_every_setting_is_in_the_table(example: dict[str, Any]) -> None:
    (container,) = example["spec"]["predictor"]["containers"]
    names = {item["name"] for item in container["env"]} - {"POD_UID"}
    assert {name for name in names if f"`{name}`" not in README} == set()


def test_the_logger_speaks_to_the_sidecars_port(example: dict[str, Any]) -> None:
    predictor = example["spec"]["predictor"]
    (container,) = predictor["containers"]
    port = {item["name"]: item.get("value") for item in container["env"]}["DRIFTLOOP_PORT"]
    assert predictor["logger"]["url"].endswith(f":{port}")
    assert container["readinessProbe"]["httpGet"]["port"] == int(port)


def unknown(value: Any, kind: str) -> Iterator[str]:
    """Yield the fields that the model ``kind`` does not have, and those below it."""
    inner = re.fullmatch(r"(?:list\[|dict\(str, ?)(.*?)[\])]", kind)
    model = getattr(kserve, kind, None) or getattr(client, kind, None)
    if inner:
        for one in value.values() if isinstance(value, dict) else value:
            yield from unknown(one, inner[1])
    elif model:
        names = {name: attribute for attribute, name in model.attribute_map.items()}
        yield from value.keys() - names.keys()
        for name in value.keys() & names.keys():
            yield from unknown(value[name], model.openapi_types[names[name]])
