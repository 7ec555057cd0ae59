"""Observed: one feature of a window as an event carries it, with the rule to judge it by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from driftloop_contracts.drift.tally import Tally
from driftloop_contracts.drift.tally import from_data as tally_from
from driftloop_contracts.errors import InvalidInput

WHERE = "a scored window"


@dataclass(frozen=True)
class Rule:
    """What one feature is judged by; all of it comes with the bundle.

    ``min_effect``: Cohen's h; ``design_effect``, ``missing_design_effect``: of its values, of
    their being missing; ``max_missing``: the contract's share.
    """

    name: str
    kind: str
    min_effect: float
    design_effect: float
    missing_design_effect: float
    max_missing: float
    varies: bool

    @property
    def tests(self) -> int:
        """Return how many tests the feature takes."""
        return 3 if self.kind == "categorical" else 2


@dataclass(frozen=True)
class Observed:
    """A feature's rule, its tally, and what cells do not tell.

    ``out_of_range``: weight outside the contract's range; ``only``: the one value that every row
    had, '' where there were several.
    """

    rule: Rule
    tally: Tally
    out_of_range: float = 0.0
    only: str = ""

    def __add__(self, other: Observed) -> Observed:
        """Return both together; the rules are of one bundle, so they are the same."""
        if self.rule != other.rule:
            raise InvalidInput("rule", WHERE, f"that of {self.rule.name}", other.rule)
        return Observed(
            self.rule,
            self.tally + other.tally,
            self.out_of_range + other.out_of_range,
            self.only if self.only == other.only else "",
        )

    def to_data(self) -> dict[str, Any]:
        """Return it as an event's JSON data."""
        return asdict(self) | {"tally": self.tally.to_data()}


def from_data(data: Mapping[str, Any]) -> Observed:
    """Return the feature in an event's data; raise InvalidInput when it is not one."""
    try:
        rule = rule_from(data["rule"])
        return Observed(
            rule, tally_from(data["tally"]), number(data["out_of_range"]), str(data["only"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("observed", WHERE, "features with their rule", str(error)) from error


def rule_from(data: Mapping[str, Any]) -> Rule:
    """Return the rule in an event's data; raise InvalidInput or TypeError otherwise."""
    rule = Rule(**data)
    for field in fields(Rule):
        if field.type == "float":
            number(getattr(rule, field.name))
    if rule.design_effect < 1 or rule.missing_design_effect < 1:
        raise InvalidInput("design_effect", WHERE, "at least 1", rule.design_effect)
    return rule


def number(value: object) -> float:
    """Return a number from 0 on in JSON data; raise InvalidInput for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e18:
        return float(value)
    raise InvalidInput("a number", WHERE, "from 0 on", value)
