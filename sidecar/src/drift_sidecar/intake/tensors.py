"""Tensors: V2's named arrays, from JSON or from the bytes behind it.

Source: Open Inference Protocol (V2), tensor data and the binary tensor data extension: little
endian, row-major, BYTES as elements that each follow their length in four bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import MAX_ROWS

DTYPES = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""How each datatype of fixed size lies in memory."""
NUMBER: set[type] = {int, float, bool, type(None)}
TEXT: set[type] = {str, type(None)}
MAX_TENSORS = 10_000
"""Most tensors of one body."""


@dataclass(frozen=True)
class Tensor:
    """One array: its ``values`` in row-major order, of one (``[n]``) or two (``[n, k]``) axes."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    values: list[Any]

    @property
    def width(self) -> int:
        """Return how many values one row has."""
        return self.shape[1] if len(self.shape) == 2 else 1

    @property
    def rows(self) -> list[list[Any]]:
        """Return the values row by row."""
        k = self.width
        return [self.values[i * k : i * k + k] for i in range(self.shape[0])]


def read(listed: object, rest: bytes, where: str) -> list[Tensor]:
    """Return the tensors of a body; raise InvalidInput for one that is not what it says.

    ``listed``: the JSON's ``inputs`` or ``outputs``; ``rest``: the bytes behind the JSON.
    """
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_TENSORS:
        raise InvalidInput("inputs or outputs", where, f"a list of 1 to {MAX_TENSORS}", listed)
    found, at = [], 0
    for content in listed:
        tensor, at = _tensor(content, rest, at, where)
        found.append(tensor)
    if at != len(rest):
        raise InvalidInput("the binary data", where, f"{at} bytes long", len(rest))
    if len({tensor.name for tensor in found}) < len(found):
        raise InvalidInput("a tensor's name", where, "used once", [t.name for t in found])
    return found


def _tensor(content: object, rest: bytes, at: int, where: str) -> tuple[Tensor, int]:
    if not isinstance(content, Mapping) or not isinstance(content.get("name"), str):
        raise InvalidInput("a tensor", where, "an object with a name", content)
    what = f"tensor {content['name'][:80]!r}"
    shape, datatype = _shape(content.get("shape"), what, where), content.get("datatype")
    if datatype != "BYTES" and (not isinstance(datatype, str) or datatype not in DTYPES):
        allowed = f"of the datatype BYTES, {', '.join(DTYPES)}"
        raise InvalidInput(what, where, allowed, datatype)
    parameters = content.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, Mapping) else None
    if size is None:
        values = _flat(content.get("data"), shape, what, where)
        _check_types(values, TEXT if datatype == "BYTES" else NUMBER, what, where)
        return Tensor(content["name"], shape, datatype, values), at
    if type(size) is not int or not 0 <= size <= len(rest) - at or "data" in content:
        allowed = f"without data and of at most {len(rest) - at} bytes"
        raise InvalidInput(what, where, allowed, size)
    values = _binary(rest[at : at + size], shape, datatype, what, where)
    return Tensor(content["name"], shape, datatype, values), at + size


def _shape(shape: object, what: str, where: str) -> tuple[int, ...]:
    """Return a shape of one or two axes whose size memory can hold."""
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2:
        raise InvalidInput(what, where, "of the shape [n] or [n, k]", shape)
    if any(type(size) is not int or not 0 <= size <= MAX_ROWS for size in shape):
        raise InvalidInput(what, where, f"of a shape from 0 to {MAX_ROWS} on each axis", shape)
    return tuple(shape)


def _count(shape: Sequence[int]) -> int:
    return shape[0] * (shape[1] if len(shape) == 2 else 1)


def _flat(data: object, shape: tuple[int, ...], what: str, where: str) -> list[Any]:
    values = data
    if isinstance(data, list) and data and isinstance(data[0], list):
        if not all(isinstance(row, list) and len(row) == shape[-1] for row in data):
            raise InvalidInput(what, where, f"rows of {shape[-1]} values", data)
        values = [value for row in data for value in row]
    if not isinstance(values, list) or len(values) != _count(shape):
        got = len(values) if isinstance(values, list) else values
        raise InvalidInput(what, where, f"a list of {_count(shape)} values", got)
    return values


def _check_types(values: list[Any], kinds: set[type], what: str, where: str) -> None:
    if not set(map(type, values)) <= kinds:
        odd = next(value for value in values if type(value) not in kinds)
        raise InvalidInput(what, where, "of values of its datatype", odd)


def _binary(data: bytes, shape: tuple[int, ...], datatype: str, what: str, where: str) -> list[Any]:
    if datatype == "BYTES":
        return _texts(data, _count(shape), what, where)
    dtype = np.dtype(DTYPES[datatype])
    if len(data) != _count(shape) * dtype.itemsize:
        allowed = f"{_count(shape) * dtype.itemsize} bytes of binary data"
        raise InvalidInput(what, where, allowed, len(data))
    values: list[Any] = np.frombuffer(data, dtype).tolist()
    return values


def _texts(data: bytes, count: int, what: str, where: str) -> list[Any]:
    """Return the elements that each follow their length; all bytes must be used up."""
    found: list[Any] = []
    at = 0
    try:
        while at < len(data) and len(found) < count:
            (length,) = struct.unpack_from("<I", data, at)
            if length > len(data) - at - 4:
                raise ValueError(length)
            found.append(data[at + 4 : at + 4 + length].decode())
            at += 4 + length
    except (struct.error, ValueError):
        allowed = "elements in UTF-8, each after its length in four bytes"
        raise InvalidInput(what, where, allowed, data[at : at + 40]) from None
    if at != len(data) or len(found) != count:
        raise InvalidInput(what, where, f"{count} elements in its binary data", len(found))
    return found
