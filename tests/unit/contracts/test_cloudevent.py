"""CloudEvents: both modes carry an event whole, and no body does harm."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop_contracts import cloudevent
from driftloop_contracts.cloudevent import STRUCTURED, CloudEvent, from_http
from driftloop_contracts.errors import InvalidInput

JSON = {"content-type": "application/json"}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
VALUES = st.dictionaries(TEXT, st.none() | st.integers() | TEXT | st.lists(st.booleans()))
EVENTS = st.builds(
    CloudEvent,
    id=TEXT,
    source=TEXT,
    type=TEXT,
    time=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    data=VALUES,
    subject=st.none() | TEXT,
)


@given(EVENTS)
def test_an_event_survives_structured_mode(event: CloudEvent) -> None:
    assert from_http({"content-type": STRUCTURED}, event.to_json()) == event


@given(EVENTS)
def test_an_event_survives_binary_mode_in_plain_headers(event: CloudEvent) -> None:
    headers, body = event.to_http()
    assert all(value.isascii() and value == value.strip() for value in headers.values())
    assert from_http(headers, body) == event


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_a_sentence(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        from_http({"content-type": STRUCTURED}, body)


def attributes(**changed: object) -> dict[str, object]:
    sound = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
    return sound | {"time": "2026-01-01T00:00:00Z", "data": {}} | changed


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": "\ud800"}, "id"),
        ({"source": 7}, "source"),
        ({"subject": 7}, "subject"),
        ({"data": [1]}, "data"),
        ({"time": "yesterday"}, "time"),
        ({"time": "2026-01-01T00:00:00"}, "time"),
        ({"time": "0001-01-01T00:00:00+23:00"}, "time"),
    ],
)
def test_a_wrong_attribute_is_named(changed: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        cloudevent.from_dict(attributes(**changed))


@pytest.mark.parametrize(
    "body", [b'{"a": NaN}', b'{"a": -Infinity}', b"[" * 100_000, b"\xff", b"", b"[1]"]
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    headers = {f"ce-{k}": str(v) for k, v in attributes().items() if k != "data"}
    with pytest.raises(InvalidInput):
        from_http(headers | JSON, body)


def test_another_content_type_is_refused() -> None:
    with pytest.raises(InvalidInput, match="content-type"):
        from_http({"content-type": "text/plain"}, json.dumps(attributes()).encode())


def test_nan_is_never_sent() -> None:
    event = CloudEvent("1", "/s", "t", datetime(2026, 1, 1, tzinfo=UTC), {"a": float("nan")})
    with pytest.raises(ValueError, match="JSON"):
        event.to_json()
