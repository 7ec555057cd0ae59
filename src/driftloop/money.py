"""Money: an amount with its currency, as loop.yaml writes it: ``0.5 EUR``."""

from __future__ import annotations

import re
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

PATTERN = r"-?[0-9]{1,15}([.][0-9]{1,9})? [A-Z]{3}"
SAYS = "an amount with its currency such as '0.5 EUR'"


class Amount(NamedTuple):
    """So much of a currency, named by its three letters (ISO 4217)."""

    value: float
    currency: str


def parse(value: Any) -> Amount:
    """Return the amount that ``value`` writes; raise ValueError saying what is allowed.

    >>> parse("-12.5 EUR")
    Amount(value=-12.5, currency='EUR')
    """
    if isinstance(value, Amount):
        return value
    if not isinstance(value, str) or re.fullmatch(PATTERN, value) is None:
        raise ValueError(SAYS)
    number, _, currency = value.partition(" ")
    return Amount(float(number), currency)


def show(amount: Amount) -> str:
    """Return ``amount`` as loop.yaml writes it.

    >>> show(Amount(0.001, "EUR")), show(Amount(-1234567.0, "EUR"))
    ('0.001 EUR', '-1234567 EUR')
    """
    number = f"{amount.value:.9f}".rstrip("0").rstrip(".")
    return f"{number} {amount.currency}"


_RULE = {"rule": f"self.matches('^{PATTERN}$')", "message": f"must be {SAYS}"}
Money = Annotated[
    Amount,
    BeforeValidator(parse),
    PlainSerializer(show),
    WithJsonSchema({"type": "string", "maxLength": 32, "x-kubernetes-validations": [_RULE]}),
]
