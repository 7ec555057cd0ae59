"""Tally: what a window holds of one feature, beside what its reference leads to expect.

Every field adds up over replicas and over neighbouring windows, so the evidence of ten
replicas is that of one which saw all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from driftloop_contracts.errors import InvalidInput

WHERE = "a tally"
MAX_CELLS = 1000
"""Most cells of one feature that an event may carry."""


@dataclass(frozen=True)
class Tally:
    """One feature's rows in a window, by weight.

    ``counts``: weight a cell (partition.py; of a categorical feature the last one holds what
    the reference lacks); ``missing``: weight without a value; ``rows``, ``weight``, ``square``:
    number of rows, sum of their weights and of the weights' squares, missing values included;
    ``expected``: the reference's share a cell for the window's days; ``expected_missing``: its
    share without a value; ``reference``: the independent rows behind ``expected``, before the
    design effect.
    """

    counts: tuple[float, ...]
    missing: float
    rows: int
    weight: float
    square: float
    expected: tuple[float, ...]
    expected_missing: float
    reference: float

    def __add__(self, other: Tally) -> Tally:
        """Return the tally of both; what was expected goes by weight.

        Two windows may be compared with the same reference rows, so these do not add up.
        """
        if len(self.counts) != len(other.counts):
            raise InvalidInput(
                "counts", "a tally", f"of {len(self.counts)} cells", len(other.counts)
            )
        total = self.weight + other.weight
        share = self.weight / total if total > 0 else 0.5
        return Tally(
            tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)),
            self.missing + other.missing,
            self.rows + other.rows,
            total,
            self.square + other.square,
            tuple(_mixed(share, a, b) for a, b in zip(self.expected, other.expected, strict=True)),
            _mixed(share, self.expected_missing, other.expected_missing),
            min(self.reference, other.reference),
        )

    def to_data(self) -> dict[str, Any]:
        """Return the tally as an event's JSON data, numbers rounded to seven digits."""
        return {name: short(value) for name, value in asdict(self).items()}


def from_data(data: object) -> Tally:
    """Return the tally in an event's data; raise InvalidInput when it is not one."""
    where = "a tally"
    if not isinstance(data, Mapping) or data.keys() != Tally.__dataclass_fields__.keys():
        raise InvalidInput("tally", where, "an object with a tally's fields", data)
    lists = {name: cells(name, data[name]) for name in ("counts", "expected")}
    if len(lists["counts"]) != len(lists["expected"]):
        raise InvalidInput("expected", where, "as long as counts", len(lists["expected"]))
    alone = {name: amount(name, data[name]) for name in data.keys() - lists.keys()}
    return Tally(**lists, **{**alone, "rows": int(alone["rows"])})  # type: ignore[arg-type]


def cells(
    name: str, values: object, where: str = WHERE, least: int = 1, most: int = MAX_CELLS
) -> tuple[float, ...]:
    """Return the cells in JSON data; raise InvalidInput for anything but numbers from 0 on."""
    if not isinstance(values, list | tuple) or not least <= len(values) <= most:
        raise InvalidInput(name, where, f"a list of {least} to {most} numbers", values)
    return tuple(amount(name, value, where) for value in values)


def amount(name: str, value: object, where: str = WHERE) -> float:
    """Return a number from 0 on in JSON data; raise InvalidInput for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < 1e18:  # type: ignore[operator]
        raise InvalidInput(name, where, "numbers from 0 on", value)
    return float(value)  # type: ignore[arg-type]


def _mixed(share: float, first: float, second: float) -> float:
    return share * first + (1 - share) * second


def short(value: Any) -> Any:
    """Return a number or a tuple of them rounded to seven digits, as JSON has it."""
    if isinstance(value, tuple):
        return [short(one) for one in value]
    return float(np.format_float_positional(value, 7, fractional=False)) if value else 0
