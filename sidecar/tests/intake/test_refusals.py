"""What no model server should have answered: 4xx, one sentence, counted; nothing is taken."""

import json
import struct

import pytest

from drift_sidecar import bodies


def tensor(**changes):
    sound = {"name": "relevance", "shape": [1], "datatype": "FP64", "data": [1.5]}
    return sound | changes


DEVICE = {"name": "device", "shape": [1], "datatype": "BYTES", "data": ["a"]}
WHOLE = {"instances": [[1.5, "a"]]}


def v2(**changes):
    return {"inputs": [tensor(**changes), DEVICE]}


def behind(size, data=b"", **changes):
    """Return a body whose first tensor says it has ``size`` bytes, before ``data``."""
    first = tensor(parameters={"binary_data_size": size}, **changes)
    first.pop("data")
    return json.dumps({"inputs": [first, DEVICE]}).encode() + data


def texts_behind(data, count=1):
    device = {"name": "device", "shape": [count], "datatype": "BYTES"}
    device["parameters"] = {"binary_data_size": len(data)}
    first = tensor(shape=[count], data=[1.5] * count)
    return json.dumps({"inputs": [first, device]}).encode() + data


REQUESTS = {
    "empty": (b"", "JSON object in UTF-8"),
    "no json": (b"not json", "JSON object in UTF-8"),
    "cut": (b'{"instances": [[1.5, "a"', "JSON object in UTF-8"),
    "bad utf-8": (b'{"instances": [[1.5, "\xff"]]}', "UTF-8"),
    "utf-16": ('{"instances": []}'.encode("utf-16"), "UTF-8"),
    "behind v1": (b'{"instances": []}\x00', "nothing behind"),
    "deep": (b"[" * 200_000, "JSON object in UTF-8"),
    "deep inside": (b'{"instances": ' + b"[" * 200_000, "JSON object in UTF-8"),
    "a list": ([], "a JSON object"),
    "neither": ({"nope": 1}, "instances"),
    "instances no list": ({"instances": "a"}, "a list"),
    "scalar for two": ({"instances": [1]}, "relevance, device"),
    "a value short": ({"instances": [[1]]}, "2 values"),
    "a value more": ({"instances": [[1, "a", 2]]}, "2 values"),
    "mixed": ({"instances": [{"relevance": 1, "device": "a"}, [1, "a"]]}, "an object"),
    "unknown": ({"instances": [{"relevance": 1, "device": "a", "hue": 1}]}, "'hue'"),
    "missing": ({"instances": [{"relevance": 1}]}, "'device'"),
    "in one only": ({"instances": [{"relevance": 1, "device": "a"}, {"device": "a"}]}, "relevance"),
    "text for a number": ({"instances": [["1.5", "a"]]}, "relevance"),
    "a list for a number": ({"instances": [[[1.5], "a"]]}, "relevance"),
    "an object for text": ({"instances": [[1.5, {}]]}, "device"),
    "nan": (b'{"instances": [[NaN, "a"]]}', "JSON"),
    "infinite": (b'{"instances": [[1e999, "a"]]}', "finite"),
    "huge integer": (b'{"instances": [[1' + b"0" * 400 + b', "a"]]}', "a value"),
    "endless integer": (b'{"instances": [[1' + b"0" * 5000 + b', "a"]]}', "JSON"),
    "half a character": (b'{"instances": [[1, "\\ud800"]]}', "a value"),
    "half a name": (b'{"instances": [{"\\ud800": 1}]}', "feature"),
    "many rows": ({"instances": [[1, "a"]] * 100_001}, "at most 100000 rows"),
    "no tensor": ({"inputs": []}, "a list of 1"),
    "tensors no list": ({"inputs": {}}, "a list of 1"),
    "tensor no object": ({"inputs": [1]}, "an object with a name"),
    "no shape": (v2(shape=None), "shape"),
    "scalar shape": (v2(shape=[]), "shape"),
    "three axes": (v2(shape=[1, 1, 1]), "shape"),
    "negative shape": (v2(shape=[-1]), "shape"),
    "huge shape": (v2(shape=[10**12, 10**12]), "shape"),
    "true as shape": (v2(shape=[True]), "shape"),
    "another length": (v2(shape=[2]), "a list of 2 values"),
    "no data": (v2(data=None), "a list of 1 values"),
    "ragged data": (v2(shape=[2, 2], data=[[1, 2], [3]]), "rows of 2 values"),
    "unknown datatype": (v2(datatype="BF16"), "datatype"),
    "a list as datatype": (v2(datatype=["FP32"]), "datatype"),
    "text in FP64": (v2(data=["1"]), "relevance"),
    "number in BYTES": ({"inputs": [tensor(), DEVICE | {"data": [1]}]}, "device"),
    "the same name": ({"inputs": [tensor(), tensor()]}, "used once"),
    "two lengths": (v2(shape=[2], data=[1, 2]), "of the shape"),
    "two columns by name": (v2(shape=[1, 2], data=[1, 2]), "of the shape"),
    "unknown tensor": ({"inputs": [tensor(), DEVICE, tensor(name="hue")]}, "'hue'"),
    "missing tensor": ({"inputs": [tensor()]}, "'device'"),
    "binary cut": (behind(8, b"\0" * 7), "7 bytes"),
    "binary too long": (behind(8, b"\0" * 9), "8 bytes long"),
    "binary of another size": (behind(4, b"\0" * 4), "8 bytes"),
    "negative binary size": (behind(-1), "bytes"),
    "text as binary size": (behind("8", b"\0" * 8), "bytes"),
    "huge binary size": (behind(10**18), "bytes"),
    "binary and data": (v2(parameters={"binary_data_size": 0}), "without data"),
    "infinite in binary": (behind(8, struct.pack("<d", float("inf"))), "finite"),
    "prefix cut": (texts_behind(b"\1\0\0"), "length in four bytes"),
    "prefix too long": (texts_behind(b"\xff\xff\xff\xffab"), "length in four bytes"),
    "element cut": (texts_behind(b"\3\0\0\0ab"), "length in four bytes"),
    "element no utf-8": (texts_behind(b"\1\0\0\0\xff"), "UTF-8"),
    "elements few": (texts_behind(b"\1\0\0\0a", count=2), "2 elements"),
    "elements many": (texts_behind(b"\1\0\0\0a\0\0\0\0"), "1 elements"),
}
RESPONSES = {
    "no json": (b"oops", "JSON object in UTF-8"),
    "neither": ({"error": "no"}, "predictions"),
    "no list": ({"predictions": 1}, "a list"),
    "text": ({"predictions": ["cat"]}, "DRIFTLOOP_PREDICTION"),
    "infinite": (b'{"predictions": [1e999]}', "finite"),
    "huge": (b'{"predictions": [1' + b"0" * 400 + b"]}", "finite"),
    "several": ({"predictions": [[0.5, 0.5]]}, "DRIFTLOOP_PREDICTION"),
    "nothing": ({"predictions": [[]]}, "DRIFTLOOP_PREDICTION"),
    "no number": ({"outputs": [DEVICE]}, "DRIFTLOOP_PREDICTION"),
    "two outputs": ({"outputs": [tensor(name="p"), tensor(name="q")]}, "DRIFTLOOP_PREDICTION"),
    "cut": ({"outputs": [tensor(parameters={"binary_data_size": 8}) | {"data": 0}]}, "without"),
}
HEADERS = {
    "no id": {"ce-id": ""},
    "no source": {"ce-source": ""},
    "another version": {"ce-specversion": "0.2"},
    "no time": {"ce-time": ""},
    "a time without zone": {"ce-time": "2026-01-01T00:00:00"},
    "a time of nonsense": {"ce-time": "9999-01-01T00:00:00Z"},
    "another type": {"ce-type": "org.kubeflow.serving.inference.feedback"},
    "json length beyond": {"inference-header-content-length": "1000"},
    "json length short": {"inference-header-content-length": "3"},
    "json length in words": {"inference-header-content-length": "ten"},
    "json length endless": {"inference-header-content-length": "9" * 5000},
}


def check_refused(side, answer, named):
    assert answer.status_code == 400
    sentence = answer.json()["error"]
    assert named in sentence
    assert sentence.endswith(".")
    assert len(sentence) < 500
    assert side.counts["refused"]["content"] == 1
    assert side.counts["requests"] == side.counts["halves"] == 0
    labels = 'loop="ads-ctr",bundle="0001-abcdef12",reason="content"'
    told = side.client.get("/metrics").text
    assert f"driftloop_sidecar_rejected_total{{{labels}}} 1\n" in told


@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_request_is_refused(side, name):
    body, named = REQUESTS[name]
    check_refused(side, side.post(side.request, body), named)
    assert side.post(side.request, WHOLE).json() == {"duplicate": False}


@pytest.mark.parametrize("name", RESPONSES)
def test_a_wrong_response_is_refused(side, name):
    body, named = RESPONSES[name]
    check_refused(side, side.post(side.response, body), named)


@pytest.mark.parametrize("name", HEADERS)
def test_wrong_headers_are_refused(side, name):
    check_refused(side, side.post(side.request, WHOLE, **HEADERS[name]), "")


@pytest.mark.parametrize(
    "data", [{"data": []}, {"data": 7}, {"data_base64": "*"}, {"data": "\ud800"}, {}], ids=str
)
def test_wrong_structured_data_are_refused(side, data):
    check_refused(side, side.post_structured(side.request, **data), "")


def nested(depth, inner=""):
    return "[" * depth + inner + "]" * depth


@pytest.mark.parametrize("depth", [*range(50, 950, 100), *range(950, 1005)])
def test_no_depth_of_nesting_does_harm(side, depth):
    """Just below what can be read at all, showing it in a sentence must not fail either."""
    for form in ('{"instances": %s}', '{"instances": {"a": %s}}', '{"instances": [[1, %s]]}'):
        text = form % nested(depth)
        assert side.post(side.request, text.encode()).status_code == 400
        event = json.dumps({"data": 0})[:-2] + text + "}"
        sent = side.headers(side.request, "1", side.given.at(0))
        structured = {k[3:]: v for k, v in sent.items() if k.startswith("ce-")}
        body = json.dumps(structured)[:-1] + "," + event[1:]
        kind = {"content-type": "application/cloudevents+json"}
        assert side.client.post("/", content=body, headers=kind).status_code == 400
    answer = b'{"predictions": [' + nested(depth).encode() + b"]}"
    assert side.post(side.response, answer).status_code == 400


def test_a_body_beyond_the_limit_is_413_and_counted(side, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BODY", 20)
    assert side.post(side.request, WHOLE).status_code == 413
    assert side.counts["refused"]["too_large"] == 1
