"""Absence: what is done where a feature may not be used, by each column's rule in loop.yaml."""

from __future__ import annotations

from collections.abc import Sequence

from driftloop.features.found import Found, Values
from driftloop.features.status import Status
from driftloop.spec.features import Column
from driftloop_contracts.errors import InvalidInput


def filled(found: Found, columns: Sequence[Column]) -> tuple[Values, list[list[str]]]:
    """Return the values with defaults in place, and the names of each request's absent features.

    ``columns``: those that are looked up. Raise InvalidInput for the first request that lacks a
    feature without which the loop does not predict. A null that a view holds is a value: the
    feature was known to be unknown.
    """
    values = dict(found.values)
    flags: list[list[str]] = [[] for _ in next(iter(found.statuses.values()), ())]
    for column in columns:
        statuses = found.statuses.get(column.origin, [])
        absent = [n for n, status in enumerate(statuses) if status is not Status.PRESENT]
        if absent and column.if_absent == "reject":
            raise _refusal(column, absent[0], statuses[absent[0]])
        for n in absent:
            flags[n].append(column.name)
        if absent and column.if_absent == "default":
            values[column.name] = list(values[column.name])
            for n in absent:
                values[column.name][n] = column.default
    return values, flags


def _refusal(column: Column, number: int, status: Status) -> InvalidInput:
    where = f"feature view '{column.origin}' for instance {number} of the request"
    return InvalidInput(f"feature '{column.name}'", where, "present", str(status))
