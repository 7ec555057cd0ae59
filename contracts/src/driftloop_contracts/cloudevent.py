"""CloudEvents 1.0 over HTTP, structured and binary mode, JSON data.

Source: the CloudEvents specification 1.0.2 and its HTTP protocol binding. The project's
own 120 lines because the two environments pin incompatible releases of the SDK's
dependencies, and a network input must fail with one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

STRUCTURED = "application/cloudevents+json"
"""Content type of an event whose attributes and data share one JSON body."""


@dataclass(frozen=True)
class CloudEvent:
    """One event: (source, id) names it once, ``time`` is the event's own, data is JSON."""

    id: str
    source: str
    type: str
    time: datetime
    data: Mapping[str, Any]
    subject: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the event as CloudEvents' JSON format has it."""
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": times.to_text(self.time),
        }
        if self.subject is not None:
            event["subject"] = self.subject
        return event | {"datacontenttype": "application/json", "data": self.data}

    def to_json(self) -> bytes:
        """Return the structured-mode body; NaN is refused, a missing number is null."""
        return json.dumps(self.to_dict(), allow_nan=False, separators=(",", ":")).encode()

    def to_http(self) -> tuple[dict[str, str], bytes]:
        """Return headers and body of the event in binary mode."""
        body = json.dumps(self.data, allow_nan=False, separators=(",", ":")).encode()
        return self.to_headers("application/json"), body

    def to_headers(self, content_type: str) -> dict[str, str]:
        """Return the headers of the event in binary mode, whatever its body is."""
        event = self.to_dict()
        del event["data"], event["datacontenttype"]
        headers = {f"ce-{name}": quote(str(value), safe=":/.-_@") for name, value in event.items()}
        return headers | {"content-type": content_type}


def from_dict(event: object) -> CloudEvent:
    """Return the event that CloudEvents' JSON format describes; raise InvalidInput otherwise.

    >>> from_dict({"specversion": "1.0", "id": "1", "source": "/s", "type": "t",
    ...            "time": "2012-04-01T00:00:00Z", "data": {}}).id
    '1'
    """
    if not isinstance(event, Mapping):
        raise InvalidInput("the body", "a CloudEvent", "a JSON object", event)
    time = checked_attributes(event)
    data = event.get("data", {})
    if not isinstance(data, Mapping):
        raise InvalidInput("data", "a CloudEvent", "a JSON object", data)
    subject = event.get("subject")
    return CloudEvent(event["id"], event["source"], event["type"], time, data, subject)


def checked_attributes(event: Mapping[str, Any]) -> datetime:
    """Return the event's time; raise InvalidInput for an attribute that is wrong or absent."""
    if event.get("specversion") != "1.0":
        raise InvalidInput("specversion", "a CloudEvent", "'1.0'", event.get("specversion"))
    for name in ("id", "source", "type"):
        if not _is_text(event.get(name)) or not event[name]:
            raise InvalidInput(name, "a CloudEvent", "a non-empty string", event.get(name))
    subject = event.get("subject")
    if subject is not None and not _is_text(subject):
        raise InvalidInput("subject", "a CloudEvent", "a string", subject)
    return times.from_text(event.get("time"), "time", "a CloudEvent")


def from_http(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    """Return the event of an HTTP request, in either mode; header names are lower case."""
    kind = content_type(headers)
    content = parsed(body)
    if kind == STRUCTURED:
        return from_dict(content)
    if kind != "application/json":
        allowed = f"'application/json' or '{STRUCTURED}'"
        raise InvalidInput("content-type", "a CloudEvent", allowed, kind)
    return from_dict(header_attributes(headers) | {"data": content})


def content_type(headers: Mapping[str, str]) -> str:
    """Return the media type that the headers name, without its parameters.

    >>> content_type({"content-type": "Application/JSON; charset=utf-8"})
    'application/json'
    """
    return headers.get("content-type", "").split(";")[0].strip().lower()


def header_attributes(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the attributes that an event in binary mode has in its headers.

    >>> header_attributes({"ce-id": "a%20b", "host": "x"})
    {'id': 'a b'}
    """
    return {k[3:]: unquote(v) for k, v in headers.items() if k.startswith("ce-")}


def parsed(body: bytes) -> object:
    """Return the JSON value in ``body``; raise InvalidInput for what is none, NaN included."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise InvalidInput("the body", "a CloudEvent", "JSON in UTF-8", body[:40]) from None


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(constant)


def _is_text(value: object) -> bool:
    """Return whether ``value`` is a string that UTF-8 can carry; JSON may hold half a character."""
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:
        return False
