"""Seldon: requests in the forms that alibi-detect-server read.

Source: seldon-core components/alibi-detect-server: a POST of JSON with the attributes of a
CloudEvent 0.2 or 1.0 in its headers, or without any; its ``--protocol`` says the body's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from drift_sidecar.intake import columns, payload, v1, v2
from drift_sidecar.intake.columns import Instances, Layout
from drift_sidecar.intake.payload import Payload
from driftloop_contracts.errors import InvalidInput


def instances(body: bytes, protocol: str, layout: Layout, said: str | None = None) -> Instances:
    """Return the instances in a body of the form that ``protocol`` names.

    >>> instances(b'{"data": {"ndarray": [[1, 2]]}}', "seldon.http", Layout(("x", "y"))).features
    {'x': [1], 'y': [2]}
    """
    content = payload.read(body, columns.WHERE, said)
    return _READERS[protocol](content, layout)


def _tensorflow(content: Payload, layout: Layout) -> Instances:
    return v1.instances(content[0], layout)


def _message(content: Payload, layout: Layout) -> Instances:
    data = content[0].get("data")
    if not isinstance(data, Mapping):
        allowed = "an object with ndarray, tensor or tftensor"
        raise InvalidInput("data", columns.WHERE, allowed, data)
    rows, names = _rows(data), data.get("names") or list(layout.required)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInput("data.names", columns.WHERE, "a list of names", names)
    if len(set(names)) < len(names):
        raise InvalidInput("data.names", columns.WHERE, "a list without repetition", names)
    return columns.by_name(columns.named(rows, names), len(rows), layout)


def _feedback(content: Payload, layout: Layout) -> Instances:
    request = content[0].get("request")
    if not isinstance(request, Mapping):
        raise InvalidInput("request", columns.WHERE, "an object with data", request)
    return _message((request, b""), layout)


def _rows(data: Mapping[str, Any]) -> list[Any]:
    if "tensor" in data:
        return _shaped(data["tensor"], "values", "tensor")
    if "tftensor" in data:
        return _shaped(_flattened(data["tftensor"]), "float_val", "tftensor")
    rows = data.get("ndarray")
    if not isinstance(rows, list):
        raise InvalidInput("data.ndarray", columns.WHERE, "a list of rows", rows)
    return rows


def _flattened(tensor: object) -> object:
    """Return a TensorProto in JSON with its shape as a list, where it has one."""
    try:
        shape = [int(dim["size"]) for dim in tensor["tensor_shape"]["dim"]]  # type: ignore[index]
        return {"shape": shape, "float_val": tensor["float_val"]}  # type: ignore[index]
    except (TypeError, ValueError, KeyError, OverflowError):
        return None


def _shaped(tensor: object, key: str, name: str) -> list[Any]:
    allowed = f"an object with {key} and a shape of one or two axes that fits them"
    what = f"data.{name}"
    if not isinstance(tensor, Mapping):
        raise InvalidInput(what, columns.WHERE, allowed, tensor)
    shape, values = tensor.get("shape"), tensor.get(key)
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or not isinstance(values, list):
        raise InvalidInput(what, columns.WHERE, allowed, shape)
    if any(type(size) is not int or size < 0 for size in shape) or prod(shape) != len(values):
        raise InvalidInput(what, columns.WHERE, allowed, shape)
    if len(shape) == 1:
        return values
    columns.check_rows(shape[0])
    return [values[i * shape[1] : (i + 1) * shape[1]] for i in range(shape[0])]


_READERS = {
    "tensorflow.http": _tensorflow,
    "seldon.http": _message,
    "seldonfeedback.http": _feedback,
    "kfserving.http": v2.instances,
}
