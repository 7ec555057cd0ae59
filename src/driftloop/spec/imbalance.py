"""Imbalance: what a fit does where positives are rare."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from driftloop.spec.base import Spec

PATTERN = r"all|([0-9]+(?:\.[0-9]+)?)(%| per positive)"
ALLOWED = "'all', a percentage such as '5%', or a count such as '20 per positive'"


class Kept(NamedTuple):
    """How many rows of negatives are kept: a share of them, or so many for each positive one."""

    share: float = 1.0
    per_positive: float | None = None

    def rows(self, negatives: int, positives: int) -> float:
        """Return how many of so many rows of negatives are wanted.

        >>> Kept(per_positive=20.0).rows(10_000, 3), Kept(share=0.05).rows(10_000, 3)
        (60.0, 500.0)
        """
        if self.per_positive is None:
            return self.share * negatives
        return min(float(negatives), self.per_positive * positives)


def parse(value: Any) -> Kept:
    """Return what ``value`` writes; raise ValueError saying what is allowed.

    >>> parse("20 per positive").per_positive
    20.0
    """
    match = re.fullmatch(PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(ALLOWED)
    number, unit = float(match[1] or 100), match[2] or "%"
    if not 0 < number <= (100 if unit == "%" else 1e9):
        raise ValueError(ALLOWED)
    return Kept(number / 100) if unit == "%" else Kept(per_positive=number)


def show(kept: Kept) -> str:
    """Return it as loop.yaml writes it.

    >>> show(Kept()), show(Kept(0.05)), show(Kept(per_positive=20.0))
    ('all', '5%', '20 per positive')
    """
    if kept.per_positive is not None:
        return f"{kept.per_positive:g} per positive"
    return "all" if kept.share == 1 else f"{kept.share * 100:g}%"


SCHEMA = {
    "type": "string",
    "maxLength": 32,
    "x-kubernetes-validations": [
        {
            "rule": "self.matches('^(all|[0-9]+(\\\\.[0-9]+)?(%| per positive))$')",
            "message": f"must be {ALLOWED}",
        }
    ],
}
Negatives = Annotated[Kept, BeforeValidator(parse), PlainSerializer(show), WithJsonSchema(SCHEMA)]


class Imbalance(Spec):
    """How a fit meets rare positives; the defaults change nothing.

    ``negatives``: how many rows of them it takes; ``correction``: how its probabilities become
    those of all rows, by weights of what is kept (``reweigh``) or by a shift of the log-odds;
    ``weights``: balanced gives both classes the same total weight, which only a shift corrects;
    ``calibration``: learnt on what a fit has not seen, auto by the number of positives; ``seed``:
    another one keeps other rows.
    """

    negatives: Negatives = Field(default="all", validate_default=True)
    correction: Literal["reweigh", "shift"] = "reweigh"
    weights: Literal["none", "balanced"] = "none"
    calibration: Literal["none", "platt", "isotonic", "auto"] = "none"
    seed: int = Field(default=0, ge=0, lt=10**15)

    @property
    def is_off(self) -> bool:
        """Return whether a fit is as it was without any of it."""
        takes_all = self.negatives == Kept()
        return takes_all and self.weights == "none" and self.calibration == "none"
