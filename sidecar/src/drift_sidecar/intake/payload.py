"""Payload: a model server's body, taken apart into JSON and the binary tensors behind it.

Source: Open Inference Protocol (V2), extension "binary tensor data". The header that says where
the JSON ends, Inference-Header-Content-Length, is not forwarded by KServe's payload logger.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from driftloop_contracts.errors import InvalidInput

HEADER = "inference-header-content-length"
"""Name of the header that says how long the JSON is, in lower case."""
Payload = tuple[Mapping[str, Any], bytes]
"""A body's JSON object and the bytes that follow it."""


def read(data: object, where: str, said: str | None = None) -> Payload:
    """Return the JSON object in ``data`` and the bytes behind it.

    ``data``: the body, or JSON that was read already; ``said``: the JSON's length in bytes as a
    header has it. Raise InvalidInput when there is no JSON object in UTF-8, or NaN in it.

    >>> read(b'{"inputs": []}rest', "a request")
    ({'inputs': []}, b'rest')
    >>> read(b' {}rest', "a request")
    ({}, b'rest')
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    content, rest = _split(data, where, said) if isinstance(data, bytes) else (data, b"")
    if not isinstance(content, Mapping):
        raise InvalidInput("the body", where, "a JSON object", content)
    return content, rest


def _split(body: bytes, where: str, said: str | None) -> tuple[object, bytes]:
    try:
        if said is not None:
            end = _length(said, len(body), where)
            return _parsed(body[:end]), body[end:]
        try:
            return _parsed(body), b""
        except ValueError:
            end = _end_of_json(body)
            return _parsed(body[:end]), body[end:]
    except (ValueError, RecursionError):
        raise InvalidInput("the body", where, "a JSON object in UTF-8", body[:40]) from None


def _length(said: str, size: int, where: str) -> int:
    if not (said.isascii() and said.isdigit() and len(said) < 12 and int(said) <= size):
        raise InvalidInput(HEADER, where, f"a whole number up to {size}", said)
    return int(said)


def _end_of_json(body: bytes) -> int:
    # Latin-1 maps each byte to one character, so that the place found is a place in the bytes.
    text = body.decode("latin-1")
    start = len(text) - len(text.lstrip(" \t\r\n"))
    return json.JSONDecoder().raw_decode(text, start)[1]


def _parsed(body: bytes) -> object:
    return json.loads(body.decode(), parse_constant=_refuse)


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(constant)
