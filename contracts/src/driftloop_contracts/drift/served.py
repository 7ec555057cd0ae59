"""Served: the predictions of one window by weekday, as an event carries them.

What to expect of them is not in the bundle: whoever sees all of a loop's windows learns it
(learned.py). So they go without an expectation, and with the weekdays told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

from driftloop_contracts.drift import observed, tally
from driftloop_contracts.drift.distribution import WEEK, Stratum
from driftloop_contracts.drift.observed import WHERE, Rule
from driftloop_contracts.errors import InvalidInput


@dataclass(frozen=True)
class Served:
    """A window's predictions; they add up over replicas and neighbouring windows.

    ``strata``: one, or seven from Monday on; ``rows``: their number; ``only``: the one value that
    all had, '' where there were several.
    """

    rule: Rule
    strata: tuple[Stratum, ...]
    rows: int
    only: str = ""

    def __add__(self, other: Served) -> Served:
        """Return both together; the rules are of one bundle, so they are the same."""
        if self.rule != other.rule or self.shape != other.shape:
            raise InvalidInput("served", WHERE, f"by the rule of {self.rule.name}", other.rule)
        return Served(
            self.rule,
            tuple(a + b for a, b in zip(self.strata, other.strata, strict=True)),
            self.rows + other.rows,
            self.only if self.only == other.only else "",
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of strata and of cells."""
        return len(self.strata), len(self.strata[0].counts)

    @property
    def whole(self) -> Stratum:
        """Return all weekdays together."""
        return reduce(add, self.strata)

    def to_data(self) -> dict[str, Any]:
        """Return it as an event's JSON data, counts rounded to seven digits."""
        return asdict(self) | {"strata": strata_to_data(self.strata)}


def from_data(data: object) -> Served:
    """Return the predictions in an event's data; raise InvalidInput when they are none."""
    try:
        told: Mapping[str, Any] = dict(data)  # type: ignore[call-overload]
        strata = strata_from(told["strata"])
        rows = int(observed.number(told["rows"]))
        return Served(observed.rule_from(told["rule"]), strata, rows, str(told["only"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("served", WHERE, "predictions with their rule", str(error)) from error


def strata_to_data(strata: tuple[Stratum, ...]) -> list[dict[str, Any]]:
    """Return strata as JSON data, numbers rounded to seven digits."""
    return [{name: tally.short(v) for name, v in asdict(one).items()} for one in strata]


def strata_from(data: object) -> tuple[Stratum, ...]:
    """Return the strata in JSON data, of as many cells each; raise InvalidInput otherwise."""
    if not isinstance(data, list) or len(data) not in (1, WEEK):
        raise InvalidInput("strata", WHERE, f"a list of 1 or {WEEK}", data)
    found = tuple(_stratum(one) for one in data)
    if len({len(one.counts) for one in found}) != 1:
        raise InvalidInput("strata", WHERE, "of as many cells each", data)
    return found


def _stratum(data: Mapping[str, Any]) -> Stratum:
    alone = {name: observed.number(data[name]) for name in ("missing", "weight", "square")}
    return Stratum(tally.cells("counts", data["counts"]), **alone)
