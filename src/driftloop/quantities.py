"""Quantities with their unit, as loop.yaml writes them: ``90d``, ``5%``, ``64MiB``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""Seconds in each unit of time that loop.yaml may use."""
BINARY = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
"""Bytes in each unit of size that loop.yaml may use."""


class Rate(NamedTuple):
    """So many events per period; ``per_second`` is their mean rate."""

    events: float
    period: timedelta

    @property
    def per_second(self) -> float:
        """Return events per second."""
        return self.events / self.period.total_seconds()


class Effort(NamedTuple):
    """So much time spent per period."""

    spent: timedelta
    period: timedelta


def parse_duration(value: Any) -> timedelta:
    """Return the duration ``value`` writes; raise ValueError saying what is allowed.

    >>> parse_duration("90d")
    datetime.timedelta(days=90)
    """
    match = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration with its unit (s, m, h, d) such as '90d'")
    try:
        return timedelta(seconds=int(match[1]) * UNITS[match[2]])
    except OverflowError:
        raise ValueError("a duration that a calendar can hold, such as '90d'") from None


def parse_share(value: Any) -> float:
    """Return the share a percentage writes, in [0, 1].

    >>> parse_share("2.5%")
    0.025
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", value) if isinstance(value, str) else None
    if match is None or float(match[1]) > 100:
        raise ValueError("a percentage from '0%' to '100%' such as '2.5%'")
    return float(match[1]) / 100


def parse_rate(value: Any) -> Rate:
    """Return the rate ``value`` writes.

    >>> parse_rate("1 per 90d").period.days
    90
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) per (\d+[smhd])", str(value))
    rate = Rate(float(match[1]), parse_duration(match[2])) if match else None
    if rate is None or not rate.events or not rate.period:
        raise ValueError("a count per duration such as '1 per 90d'")
    return rate


def parse_effort(value: Any) -> Effort:
    """Return the time per period that ``value`` writes.

    >>> parse_effort("2h per 30d").spent.total_seconds()
    7200.0
    """
    match = re.fullmatch(r"(\d+[smhd]) per (\d+[smhd])", str(value))
    effort = Effort(parse_duration(match[1]), parse_duration(match[2])) if match else None
    if effort is None or not effort.spent or not effort.period:
        raise ValueError("a duration per duration such as '2h per 30d'")
    return effort


def parse_size(value: Any) -> int:
    """Return the bytes that ``value`` writes.

    >>> parse_size("64MiB")
    67108864
    """
    match = re.fullmatch(r"([1-9]\d{0,8})([KMG]iB)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a whole number of KiB, MiB or GiB such as '64MiB'")
    return int(match[1]) * BINARY[match[2]]


def show_size(size: int) -> str:
    """Return ``size`` in its largest whole unit.

    >>> show_size(64 << 20)
    '64MiB'
    """
    unit = next(u for u in ("GiB", "MiB", "KiB") if size % BINARY[u] == 0)
    return f"{size // BINARY[unit]}{unit}"


def show_duration(duration: timedelta) -> str:
    """Return ``duration`` in its largest whole unit.

    >>> show_duration(timedelta(hours=36))
    '36h'
    """
    seconds = int(duration.total_seconds())
    unit = next(u for u in ("d", "h", "m", "s") if seconds % UNITS[u] == 0)
    return f"{seconds // UNITS[unit]}{unit}"


def _text(pattern: str, message: str) -> WithJsonSchema:
    """Return the schema of a quantity: text of a bounded length, refused with ``message``."""
    rule = {"rule": f"self.matches('^{pattern}$')", "message": message}
    return WithJsonSchema({"type": "string", "maxLength": 32, "x-kubernetes-validations": [rule]})


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(show_duration),
    _text("[0-9]+[smhd]", "must be a duration with its unit (s, m, h, d) such as '90d'"),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    PlainSerializer(lambda share: f"{share * 100:g}%"),
    _text(
        "(100(\\\\.0+)?|[0-9]{1,2}(\\\\.[0-9]+)?)%",
        "must be a percentage from '0%' to '100%' such as '2.5%'",
    ),
]
PerTime = Annotated[
    Rate,
    BeforeValidator(parse_rate),
    PlainSerializer(lambda rate: f"{rate.events:g} per {show_duration(rate.period)}"),
    _text(
        "[0-9]+(\\\\.[0-9]+)? per [0-9]+[smhd]", "must be a count per duration such as '1 per 90d'"
    ),
]
TimePerTime = Annotated[
    Effort,
    BeforeValidator(parse_effort),
    PlainSerializer(lambda e: f"{show_duration(e.spent)} per {show_duration(e.period)}"),
    _text("[0-9]+[smhd] per [0-9]+[smhd]", "must be a duration per duration such as '2h per 30d'"),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(show_size),
    _text("[1-9][0-9]{0,8}[KMG]iB", "must be a whole number of KiB, MiB or GiB such as '64MiB'"),
]
