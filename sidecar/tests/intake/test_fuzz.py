"""Thousands of damaged bodies, seeded: each is taken or refused, and the sidecar goes on."""

import json
import random
import struct

import pytest

V1 = {"instances": [{"relevance": 1.5, "device": "a"}, {"relevance": -2, "device": "bé"}]}
V2 = {
    "inputs": [
        {"name": "relevance", "shape": [2], "datatype": "FP64", "data": [1.5, None]},
        {"name": "device", "shape": [2, 1], "datatype": "BYTES", "data": ["a", "bé"]},
    ]
}
ANSWER = {"outputs": [{"name": "p", "shape": [2], "datatype": "FP32", "data": [0.25, 0.5]}]}
ODD = [None, True, -1, 0, 2**31, 2**70, 1e308, "", "a", "\ud800", [], {}, [[]], [None], "NaN"]
ODD_BYTES = [b"\xff", b"\x00", b"[", b"}", b'"', b"1e999", b"NaN", b"\xff\xff\xff\x7f", b"{" * 99]
ROUNDS = 3000


def bodies(side):
    tensors = [
        ("relevance", [2], "FP64", struct.pack("<2d", 1.5, float("nan"))),
        ("device", [2], "BYTES", side.texts("a", "bé")),
    ]
    return [*(json.dumps(body).encode() for body in (V1, V2, ANSWER)), side.binary(tensors)]


def damaged_bytes(body, rng):
    """Return the body with a few bytes changed, put in, cut out or said twice."""
    data = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data) + 1), rng.randint(0, 9)
        kind = rng.randrange(4)
        if kind == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at:at] = rng.choice(ODD_BYTES)
        elif kind == 2:
            del data[at : at + length]
        else:
            data[at:at] = data[at : at + length * 9]
    return bytes(data)


def damaged_json(value, rng):
    """Return the value with one place in it changed for something odd."""
    if rng.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return rng.choice(ODD)
    places = list(value) if isinstance(value, dict) else range(len(value))
    place, copy = rng.choice(places), value.copy()
    copy[place] = damaged_json(value[place], rng)
    if rng.random() < 0.2:
        copy.pop(place)
    return copy


def check_alive(side):
    """Check that the sidecar still takes whole batches and scores them."""
    for number in range(60):
        body = {"instances": [[number / 60, "a"]]}
        assert side.post(side.request, body, f"whole-{number}").status_code == 200
        assert side.post(side.response, {"predictions": [1]}, f"whole-{number}").status_code == 200
    side.intake.finish()
    scored = side.monitor.close(int(side.given.at(1).timestamp()))[0]
    assert scored.data["n"] >= 60
    assert len(side.logged()) == side.client.get("/status").json()["rows"]


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_bytes_do_no_harm(side, seed):
    rng, whole = random.Random(seed), bodies(side)
    statuses = set()
    for number in range(ROUNDS // 2):
        kind = rng.choice([side.request, side.response])
        body = damaged_bytes(rng.choice(whole), rng)
        statuses.add(side.post(kind, body, str(number // 2)).status_code)
    assert statuses == {200, 400}
    check_alive(side)


def test_damaged_json_does_no_harm(side):
    rng, statuses = random.Random(3), set()
    for number in range(ROUNDS):
        kind, bodies = rng.choice([(side.request, [V1, V2]), (side.response, [ANSWER])])
        body = damaged_json(rng.choice(bodies), rng)
        answer = (
            side.post(kind, json.dumps(body).encode(), str(number))
            if number % 2
            else side.post_structured(kind, str(number), data=body)
        )
        statuses.add(answer.status_code)
    assert statuses == {200, 400}
    check_alive(side)


@pytest.mark.parametrize("protocol", ["seldon.http", "seldonfeedback.http", "kfserving.http"])
def test_damaged_requests_of_seldon_do_no_harm(make_side, protocol):
    side, rng, statuses = make_side(protocol=protocol), random.Random(4), set()
    data = {"names": ["relevance", "device"], "ndarray": [[1.5, "a"], [None, "b"]]}
    tensor = {"data": {"tensor": {"shape": [2, 2], "values": [1, 2, 3, 4]}}}
    whole = {
        "seldon.http": [{"data": data}, tensor],
        "seldonfeedback.http": [{"request": tensor, "truth": tensor}],
        "kfserving.http": [V2],
    }[protocol]
    for number in range(ROUNDS // 3):
        body = damaged_json(rng.choice(whole), rng)
        content = json.dumps(body).encode()
        if number % 2:
            content = damaged_bytes(content, rng)
        statuses.add(side.client.post("/", content=content).status_code)
    assert statuses == {200, 400}
    check_alive(side)
