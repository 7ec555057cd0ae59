"""Raw events: any data under attributes that are checked."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop_contracts import cloudevent, raw_event
from driftloop_contracts.cloudevent import STRUCTURED
from driftloop_contracts.errors import DriftloopError, InvalidInput

ATTRIBUTES = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"} | {
    "time": "2026-01-01T00:00:00Z"
}
HEADERS = {f"ce-{name}": value for name, value in ATTRIBUTES.items()}


def structured(**more: object) -> raw_event.RawEvent:
    body = json.dumps(ATTRIBUTES | more).encode()
    return raw_event.from_http({"content-type": STRUCTURED}, body)


@given(st.binary(max_size=40), st.sampled_from(["", "text/plain", "application/octet-stream"]))
def test_binary_mode_keeps_any_bytes(body: bytes, kind: str) -> None:
    event = raw_event.from_http(HEADERS | {"content-type": kind}, body)
    assert (event.data, event.content_type, event.type) == (body, kind, "t")


@given(st.binary(max_size=40))
def test_structured_mode_holds_any_bytes_as_base64(body: bytes) -> None:
    assert structured(data_base64=base64.b64encode(body).decode()).data == body


def test_extensions_are_attributes() -> None:
    event = raw_event.from_http(HEADERS | {"ce-inferenceservicename": "ads"}, b"")
    assert event.attributes["inferenceservicename"] == "ads"


def test_base64_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="data_base64"):
        structured(data_base64="***")


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_an_attribute_that_is_absent_is_named(name: str) -> None:
    headers = {k: v for k, v in HEADERS.items() if k != f"ce-{name}"}
    with pytest.raises(InvalidInput, match=name):
        raw_event.from_http(headers, b"{}")


@given(st.binary(max_size=60), st.sampled_from([STRUCTURED, "application/json", "text/plain"]))
def test_as_an_event_it_is_what_the_strict_reader_says(body: bytes, kind: str) -> None:
    headers = HEADERS | {"content-type": kind}
    try:
        expected = cloudevent.from_http(headers, body)
    except InvalidInput:
        with pytest.raises(DriftloopError):
            raw_event.from_http(headers, body).to_event()
    else:
        assert raw_event.from_http(headers, body).to_event() == expected


def test_a_json_object_becomes_an_event_in_both_modes() -> None:
    json_headers = HEADERS | {"content-type": "application/json"}
    binary = raw_event.from_http(json_headers, b'{"a": 1}').to_event()
    assert binary == structured(data={"a": 1}).to_event()
    assert binary.data == {"a": 1}
