"""V2: the Open Inference Protocol, ``{"inputs": [...]}`` and ``{"outputs": [...]}``.

Features are tensors by name, one column each, or the columns of one tensor by position.
"""

from __future__ import annotations

from typing import Any

from drift_sidecar.intake import choice, columns, tensors
from drift_sidecar.intake.columns import Instances, Layout
from drift_sidecar.intake.payload import Payload
from drift_sidecar.intake.tensors import Tensor
from driftloop_contracts.errors import InvalidInput


def instances(payload: Payload, layout: Layout) -> Instances:
    """Return the request's instances.

    >>> tensor = {"name": "in", "shape": [1, 2], "datatype": "INT32", "data": [3, 4]}
    >>> instances(({"inputs": [tensor]}, b""), Layout(("x", "y"))).features
    {'x': [3], 'y': [4]}
    """
    found = tensors.read(payload[0].get("inputs"), payload[1], columns.WHERE)
    if len(found) == 1 and (found[0].name not in layout.names or found[0].width != 1):
        return columns.by_position(found[0].rows, layout)
    rows = found[0].shape[0]
    for tensor in found:
        if tensor.shape[0] != rows or tensor.width != 1:
            allowed = f"of the shape [{rows}] or [{rows}, 1]"
            what = f"tensor {tensor.name[:80]!r}"
            raise InvalidInput(what, columns.WHERE, allowed, list(tensor.shape))
    return columns.by_name({tensor.name: tensor.values for tensor in found}, rows, layout)


def predictions(payload: Payload, chosen: str) -> list[float | None]:
    """Return one number an instance, from the chosen output or the only one of numbers.

    ``chosen``: an output's name, or the position within a row of the only one of numbers.
    """
    found = tensors.read(payload[0].get("outputs"), payload[1], choice.WHERE)
    output = _output(found, chosen)
    rows: list[Any] = output.rows if output.width != 1 else output.values
    return [None if row != row else choice.number(row, chosen) for row in rows]


def _output(found: list[Tensor], chosen: str) -> Tensor:
    named = [tensor for tensor in found if tensor.name == chosen]
    numbers = named or [tensor for tensor in found if tensor.datatype != "BYTES"]
    if len(numbers) != 1:
        allowed = f"one of numbers, or chosen by {choice.SETTING}"
        raise InvalidInput("outputs", choice.WHERE, allowed, [t.name for t in found])
    return numbers[0]
