"""KServe's V1 and V2 over HTTP, as a caller sees them; any server must pass these cases."""

from __future__ import annotations

import json
import struct
from typing import Any

import httpx
import numpy as np
import pytest
from instances import ROW

from driftloop.services.predictor.model import EVENT_TIME, REQUEST_ID
from driftloop.training import fit
from driftloop_contracts import times
from driftloop_contracts.inference import prediction_id

pytestmark = pytest.mark.slow

MODEL = "ads-ctr"
DATATYPES = {int: "INT64", float: "FP64", str: "BYTES"}


def v1(predictor: str, body: Any, **headers: str) -> httpx.Response:
    url = f"{predictor}/v1/models/{MODEL}:predict"
    if isinstance(body, bytes):
        return httpx.post(url, content=body, headers=headers | {"content-type": "application/json"})
    return httpx.post(url, json=body, headers=headers)


def v2(predictor: str, rows: list[dict[str, Any]], **extra: Any) -> httpx.Response:
    return httpx.post(
        f"{predictor}/v2/models/{MODEL}/infer", json={"inputs": tensors(rows)} | extra
    )


def tensors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": DATATYPES[type(value)],
            "data": [row[name] for row in rows],
        }
        for name, value in rows[0].items()
    ]


def test_health_and_metadata(predictor: str) -> None:
    assert httpx.get(f"{predictor}/v2/health/live").status_code == 200
    assert httpx.get(f"{predictor}/v2/health/ready").status_code == 200
    assert httpx.get(f"{predictor}/v2/models/{MODEL}/ready").status_code == 200
    assert httpx.get(f"{predictor}/v1/models").json() == {"models": [MODEL]}
    assert httpx.get(f"{predictor}/v1/models/{MODEL}").json()["ready"] in (True, "True")


def test_v1_answers_with_predictions_ids_and_version(predictor: str, world) -> None:
    answer = v1(predictor, {"instances": [ROW, ROW | {"device": "tablet"}]}, **{REQUEST_ID: "r1"})
    content = answer.json()
    assert answer.status_code == 200
    assert content["bundle_version"] == world.version
    assert content["prediction_ids"] == [prediction_id("r1", 0), prediction_id("r1", 1)]
    assert all(0 < p < 1 for p in content["predictions"])
    assert content["predictions"][0] != content["predictions"][1]


def test_v2_answers_as_v1_does(predictor: str, world) -> None:
    rows = [ROW, ROW | {"position": "4"}]
    content = v2(predictor, rows, id="r2").json()
    outputs = {output["name"]: output for output in content["outputs"]}
    assert (content["id"], content["model_name"]) == ("r2", MODEL)
    assert content["model_version"] == world.version
    assert outputs["prediction"]["datatype"] == "FP64"
    assert outputs["prediction"]["shape"] == [2]
    assert outputs["prediction_id"]["data"] == [prediction_id("r2", 0), prediction_id("r2", 1)]
    assert outputs["prediction"]["data"] == v1(predictor, {"instances": rows}).json()["predictions"]


def test_v2_takes_binary_tensors(predictor: str) -> None:
    listed = tensors([ROW])
    blobs = [_binary(tensor) for tensor in listed]
    for tensor, blob in zip(listed, blobs, strict=True):
        del tensor["data"]
        tensor["parameters"] = {"binary_data_size": len(blob)}
    head = json.dumps({"inputs": listed}).encode()
    answer = httpx.post(
        f"{predictor}/v2/models/{MODEL}/infer",
        content=head + b"".join(blobs),
        headers={
            "inference-header-content-length": str(len(head)),
            "content-type": "application/octet-stream",
        },
    )
    assert answer.status_code == 200, answer.text
    data = answer.json()["outputs"][0]["data"]
    assert data == v1(predictor, {"instances": [ROW]}).json()["predictions"]


def _binary(tensor: dict[str, Any]) -> bytes:
    (value,) = tensor["data"]
    if tensor["datatype"] == "BYTES":
        return struct.pack("<I", len(value)) + value.encode()
    return np.array([value], {"INT64": "<i8", "FP64": "<f8"}[tensor["datatype"]]).tobytes()


def test_served_values_are_what_the_offline_model_says(predictor: str, world) -> None:
    """The newest rows, asked over HTTP, against the bundle's model on the same online values."""
    names = [*world.case.loop.spec.features.entities]
    names += world.case.loop.spec.features.names(origin="request")
    rows = world.rows.tail(50)
    body = {"instances": rows[names].to_dict("records")}
    answer = v1(predictor, body, **{EVENT_TIME: times.to_text(world.now)}).json()
    from driftloop.adapters.feast_repository import FeatureRepository
    from driftloop.bundle import model_file
    from driftloop_contracts import bundle

    repository = FeatureRepository(world.case, world.folder / "feast")
    served = repository.online(rows[names], world.now)
    assert not any(served.absent[0])
    model = model_file.load(world.folder / "scratch-0" / bundle.MODEL)
    expected = fit.predict(world.case, model, served.rows)
    assert answer["predictions"] == expected.tolist()


def test_unknown_keys_and_missing_numbers_still_get_a_prediction(predictor: str) -> None:
    row = ROW | {"query_id": 987654321, "relevance": None, "category": "never seen"}
    assert v1(predictor, {"instances": [row]}).status_code == 200


BAD = {
    "not JSON": (b"{", "format"),
    "no instances": ({}, "instances"),
    "zero instances": ({"instances": []}, "instances"),
    "instance is no object": ({"instances": [[1, 2]]}, "an instance"),
    "unknown column": ({"instances": [ROW | {"colour": "red"}]}, "colour"),
    "missing column": ({"instances": [{k: v for k, v in ROW.items() if k != "ad_id"}]}, "ad_id"),
    "key is text": ({"instances": [ROW | {"query_id": "a"}]}, "query_id"),
    "key is null": ({"instances": [ROW | {"query_id": None}]}, "query_id"),
    "key is too large": ({"instances": [ROW | {"query_id": 2**70}]}, "query_id"),
    "number is text": ({"instances": [ROW | {"discount": "high"}]}, "discount"),
    "word is a number": ({"instances": [ROW | {"device": 3}]}, "device"),
    "weight is zero": ({"instances": [ROW | {"weight": 0}]}, "weight"),
}


@pytest.mark.parametrize("name", BAD)
def test_v1_refuses_with_one_sentence(predictor: str, name: str) -> None:
    body, word = BAD[name]
    answer = v1(predictor, body)
    assert answer.status_code == 400, answer.text
    assert word in answer.json()["error"]
    assert "Traceback" not in answer.text


def test_v2_refuses_a_missing_and_an_unknown_input(predictor: str) -> None:
    short = {k: v for k, v in ROW.items() if k != "device"}
    assert "device" in v2(predictor, [short]).json()["error"]
    assert "colour" in v2(predictor, [ROW | {"colour": "red"}]).json()["error"]
    assert v2(predictor, [short]).status_code == 400


def test_a_bad_event_time_is_refused(predictor: str) -> None:
    answer = v1(predictor, {"instances": [ROW]}, **{"driftloop-event-time": "yesterday"})
    assert (answer.status_code, "yesterday" in answer.text) == (400, True)


def test_an_unknown_model_is_not_found(predictor: str) -> None:
    url = f"{predictor}/v1/models/nobody:predict"
    assert httpx.post(url, json={"instances": [ROW]}).status_code == 404


def test_the_server_survives_all_that(predictor: str) -> None:
    assert v1(predictor, {"instances": [ROW]}).status_code == 200
