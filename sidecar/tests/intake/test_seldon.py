"""What alibi-detect-server took is taken: its forms, its headers, its addresses."""

import json

import pytest

ROWS = [[1.5, "a"], [2.5, "b"]]
NUMBERS = [[1.5, 3.0], [2.5, 4.0]]
FLAT = {"shape": [2, 2], "values": [1.5, 3.0, 2.5, 4.0]}
PROTO = {"tensor_shape": {"dim": [{"size": "2"}, {"size": 2}]}, "float_val": FLAT["values"]}
TENSOR = {"name": "in", "shape": [2, 2], "datatype": "FP32", "data": FLAT["values"]}
MESSAGE = {"data": {"names": ["device", "relevance"], "ndarray": [["a", 1.5], ["b", 2.5]]}}
SOUND = {
    "tensorflow": ("tensorflow.http", {"instances": ROWS}),
    "ndarray": ("seldon.http", {"data": {"ndarray": ROWS}}),
    "names": ("seldon.http", MESSAGE),
    "tensor": ("seldon.http", {"data": {"tensor": FLAT}}),
    "tftensor": ("seldon.http", {"data": {"tftensor": PROTO}}),
    "feedback": ("seldonfeedback.http", {"request": MESSAGE, "truth": {"data": {}}}),
    "v2": ("kfserving.http", {"inputs": [TENSOR]}),
}


def ce(version="0.2", kind="io.seldon.serving.inference.request", **more):
    return {
        "ce-specversion": version,
        "ce-id": "1",
        "ce-source": "io.seldon.serving.deployment.ads",
        "ce-type": kind,
        "content-type": "application/json",
    } | more


def send(side, body, headers=None):
    return side.client.post("/", content=json.dumps(body), headers=headers or {})


@pytest.mark.parametrize("headers", [{}, ce("0.2"), ce("1.0")], ids=["none", "0.2", "1.0"])
@pytest.mark.parametrize("name", SOUND)
def test_its_requests_are_records_without_predictions(make_side, name, headers):
    protocol, body = SOUND[name]
    side = make_side(protocol=protocol)
    assert send(side, body, headers).status_code == 200
    rows = side.logged()
    assert [row["relevance"] for row in rows] == [1.5, 2.5]
    assert {row["device"] for row in rows} in ({"a", "b"}, {"3", "4"})
    assert {row["prediction"] for row in rows} == {None}
    assert {row["event_time"] for row in rows} == {side.given.at(0.5)}
    assert [row["seq"] for row in rows] == [0, 1]


def test_a_time_in_the_headers_is_the_records_time(make_side):
    side = make_side(protocol="tensorflow.http")
    headers = ce("1.0", **{"ce-time": "2012-04-01T00:10:00Z"})
    assert send(side, {"instances": ROWS}, headers).status_code == 200
    assert side.logged()[0]["event_time"].minute == 10


def test_a_repeated_id_is_taken_once_and_none_is_always_new(make_side):
    side = make_side(protocol="tensorflow.http")
    for headers in (ce(), ce(), {}, {}):
        send(side, {"instances": ROWS}, headers)
    assert (side.counts["requests"], side.counts["duplicate_events"]) == (3, 1)
    assert sorted(row["seq"] for row in side.logged()) == list(range(6))


def test_kserves_events_are_still_paired(make_side):
    side = make_side(protocol="seldon.http")
    side.post(side.request, {"instances": ROWS})
    side.post(side.response, {"predictions": [0, 1]})
    assert side.counts["paired"] == 1


def test_own_events_are_still_taken(make_side, given):
    side = make_side(protocol="seldon.http")
    headers, body = given.batch(3, 0.5).to_http()
    assert side.client.post("/", content=body, headers=headers).status_code == 202


WRONG = {
    "no data": ("seldon.http", {}),
    "data no object": ("seldon.http", {"data": []}),
    "empty data": ("seldon.http", {"data": {}}),
    "names no list": ("seldon.http", {"data": {"names": "ab", "ndarray": ROWS}}),
    "names twice": ("seldon.http", {"data": {"names": ["device"] * 2, "ndarray": ROWS}}),
    "names of others": ("seldon.http", {"data": {"names": ["device", "x"], "ndarray": ROWS}}),
    "shape beyond": ("seldon.http", {"data": {"tensor": {"shape": [3, 2], "values": [1]}}}),
    "negative shape": ("seldon.http", {"data": {"tensor": {"shape": [-1, -1], "values": [1]}}}),
    "empty rows": ("seldon.http", {"data": {"tensor": {"shape": [10**9, 0], "values": []}}}),
    "no shape": ("seldon.http", {"data": {"tftensor": {"float_val": [1]}}}),
    "odd dim": (
        "seldon.http",
        {"data": {"tftensor": {"float_val": [1], "tensor_shape": {"dim": [{"size": "x"}]}}}},
    ),
    "images": ("tensorflow.http", {"instances": [[[0.5, 0.5]]]}),
    "truth alone": ("seldonfeedback.http", {"truth": MESSAGE}),
    "v2 without tensors": ("kfserving.http", {"instances": ROWS}),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_forms_are_refused_with_a_sentence(make_side, name):
    protocol, body = WRONG[name]
    side = make_side(protocol=protocol)
    answer = send(side, body)
    assert (answer.status_code, side.counts["refused"]["content"]) == (400, 1)
    assert answer.json()["error"].endswith(".")


@pytest.mark.parametrize(
    "changes",
    [{"kind": "io.seldon.serving.inference.response"}, {"ce-time": "noon"}],
    ids=["a response", "no time"],
)
def test_wrong_headers_are_refused(make_side, changes):
    side = make_side(protocol="tensorflow.http")
    assert send(side, {"instances": ROWS}, ce(**changes)).status_code == 400


def test_another_inference_service_is_a_conflict(make_side):
    side = make_side(protocol="tensorflow.http", inference_service="ads")
    headers = ce(**{"ce-inferenceservicename": "fraud"})
    assert send(side, {"instances": ROWS}, headers).status_code == 409


def test_without_a_protocol_what_is_no_event_of_ours_is_refused(side):
    assert send(side, {"instances": ROWS}).status_code == 400
    assert send(side, {"instances": ROWS}, ce()).status_code == 400


def test_its_addresses_answer(make_side):
    side = make_side(protocol="seldon.http")
    assert side.client.get("/protocol").text == "seldon.http"
    assert "driftloop_sidecar_rows_total" in side.client.get("/v1/metrics").text
