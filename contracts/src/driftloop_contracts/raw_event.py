"""Raw events: CloudEvents whose data is whatever their sender forwarded.

A payload logger sends a model server's traffic as it came: any content type, not only JSON.
The attributes are checked as strictly as any event's; the data are the reader's to judge.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftloop_contracts import cloudevent
from driftloop_contracts.cloudevent import STRUCTURED, CloudEvent
from driftloop_contracts.errors import InvalidInput

WHERE = "a CloudEvent"


@dataclass(frozen=True)
class RawEvent:
    """One event: ``data`` is its body's bytes, or the JSON value that a structured one holds.

    ``attributes``: all of them by name, extensions included; ``content_type``: of the body.
    """

    attributes: Mapping[str, Any]
    time: datetime
    content_type: str
    data: object

    @property
    def id(self) -> str:
        """Return the event's id, unique to its source and type."""
        return str(self.attributes["id"])

    @property
    def source(self) -> str:
        """Return who sent the event."""
        return str(self.attributes["source"])

    @property
    def type(self) -> str:
        """Return what kind of event it is."""
        return str(self.attributes["type"])

    def to_event(self) -> CloudEvent:
        """Return the event when its data is a JSON object; raise InvalidInput otherwise."""
        data = self.data
        if self.content_type not in (STRUCTURED, "application/json"):
            allowed = f"'application/json' or '{STRUCTURED}'"
            raise InvalidInput("content-type", WHERE, allowed, self.content_type)
        if isinstance(data, bytes):
            data = cloudevent.parsed(data)
        return cloudevent.from_dict({**self.attributes, "data": data})


def from_http(headers: Mapping[str, str], body: bytes) -> RawEvent:
    """Return the event of an HTTP request, in either mode; header names are lower case.

    Raise InvalidInput for attributes that are wrong, or a structured body that is no JSON.

    >>> from_http({"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t",
    ...            "ce-time": "2012-04-01T00:00:00Z"}, b"any").data
    b'any'
    """
    kind = cloudevent.content_type(headers)
    if kind == STRUCTURED:
        return _structured(cloudevent.parsed(body))
    attributes = cloudevent.header_attributes(headers)
    return RawEvent(attributes, cloudevent.checked_attributes(attributes), kind, body)


def _structured(content: object) -> RawEvent:
    if not isinstance(content, Mapping):
        raise InvalidInput("the body", WHERE, "a JSON object", content)
    time = cloudevent.checked_attributes(content)
    attributes = {k: v for k, v in content.items() if k not in ("data", "data_base64")}
    if "data_base64" not in content:
        return RawEvent(attributes, time, STRUCTURED, content.get("data", {}))
    return RawEvent(attributes, time, STRUCTURED, _decoded(content["data_base64"]))


def _decoded(text: object) -> bytes:
    try:
        return base64.b64decode(str(text), validate=True)
    except ValueError:
        raise InvalidInput("data_base64", WHERE, "base64", text) from None
