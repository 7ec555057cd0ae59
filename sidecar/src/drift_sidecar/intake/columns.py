"""Columns: instances as one list a feature, found by name or by position.

Which features there are, and their order by position, is the baseline's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import MAX_ROWS, is_propensity

WHERE = "an inference request"


@dataclass(frozen=True)
class Layout:
    """What an instance holds: ``features`` in their order by position, and ``keys`` of entities.

    Keys and propensities are optional, and are found by name only.
    """

    features: tuple[str, ...]
    keys: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Return the features that every instance has."""
        return tuple(name for name in self.features if not is_propensity(name))

    @property
    def names(self) -> set[str]:
        """Return every name that an instance may have."""
        return {*self.features, *self.keys}


@dataclass(frozen=True)
class Instances:
    """The ``rows`` instances of one request; every column has as many values."""

    rows: int
    features: dict[str, list[Any]]
    entity_keys: dict[str, list[Any]]


def by_name(columns: Mapping[str, list[Any]], rows: int, layout: Layout) -> Instances:
    """Return named columns as instances; raise InvalidInput for a name too many or too few."""
    check_rows(rows)
    for name in columns:
        if name not in layout.names:
            raise InvalidInput(
                f"feature {name[:80]!r}", WHERE, "one that the bundle's baseline names", name
            )
    for name in layout.required:
        if name not in columns:
            raise InvalidInput(f"feature {name[:80]!r}", WHERE, "present", "nothing")
    keys = {name: columns[name] for name in layout.keys if name in columns}
    found = {name: columns.get(name, [None] * rows) for name in layout.features}
    return Instances(rows, found, keys)


def by_position(rows: Sequence[Any], layout: Layout) -> Instances:
    """Return rows, each a list of values or one bare value, as instances.

    >>> by_position([[1, "a"], [2, "b"]], Layout(("x", "y"))).features
    {'x': [1, 2], 'y': ['a', 'b']}
    """
    return by_name(named(rows, layout.required), len(rows), layout)


def named(rows: Sequence[Any], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return rows, each with a value for each name in this order, as columns.

    >>> named([[1, "a"], [2, "b"]], ["x", "y"])
    {'x': [1, 2], 'y': ['a', 'b']}
    """
    check_rows(len(rows))
    width = len(names)
    listed = [row if isinstance(row, list) else [row] for row in rows]
    odd = next((row for row in listed if len(row) != width), None)
    if odd is not None:
        raise InvalidInput("an instance", WHERE, f"{width} values: {_listed(names)}", odd)
    columns = [list(values) for values in zip(*listed, strict=True)] or [[] for _ in range(width)]
    return dict(zip(names, columns, strict=True))


def from_objects(rows: Sequence[Any], layout: Layout) -> Instances:
    """Return rows, each a JSON object by feature, as instances; all have the same names."""
    check_rows(len(rows))
    if not rows:
        return by_name({name: [] for name in layout.required}, 0, layout)
    names = rows[0].keys() if isinstance(rows[0], dict) else ()
    for row in rows:
        if not isinstance(row, dict):
            raise InvalidInput("an instance", WHERE, "an object, as the first one is", row)
        if row.keys() != names:
            name = sorted(row.keys() ^ names)[0]
            raise InvalidInput(f"feature {name[:80]!r}", WHERE, "in every instance or none", row)
    return by_name({name: [row[name] for row in rows] for name in names}, len(rows), layout)


def check_rows(rows: int) -> None:
    """Raise InvalidInput for more rows than one batch may carry."""
    if rows > MAX_ROWS:
        raise InvalidInput("instances", WHERE, f"at most {MAX_ROWS} rows", rows)


def _listed(names: Sequence[str]) -> str:
    first = ", ".join(names[:8])
    return first if len(names) <= 8 else f"{first}, ..."
