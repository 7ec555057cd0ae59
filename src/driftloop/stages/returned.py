"""Returned: a stage sent the loop back to an earlier one, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from driftloop.stages.stage import Stage
from driftloop_contracts.errors import InvalidInput

WHERE = "a stage's return"


@dataclass(frozen=True)
class Returned:
    """``source`` sends the loop to ``target`` by ``rule``; ``reason``: with its numbers."""

    source: Stage
    target: Stage
    rule: str
    reason: str

    def __post_init__(self) -> None:
        if self.target.number >= self.source.number:
            allowed = f"a stage before {self.source.value}"
            raise InvalidInput("to", WHERE, allowed, self.target.value)

    @property
    def sentence(self) -> str:
        """Return it as people read it.

        >>> told = Returned(Stage.MONITORING, Stage.DATA_ENGINEERING, "data_fault", "x is broken.")
        >>> told.sentence
        'Monitoring sends the loop back to data engineering (data_fault): x is broken.'
        """
        target = self.target.title.lower()
        return f"{self.source.title} sends the loop back to {target} ({self.rule}): {self.reason}"

    def to_data(self) -> dict[str, str]:
        """Return the data of an ``io.driftloop.stage.returned.v1`` event."""
        return {
            "from": self.source.value,
            "to": self.target.value,
            "rule": self.rule,
            "reason": self.reason,
        }


def from_data(data: Mapping[str, Any]) -> Returned:
    """Return what an event's data says; raise InvalidInput for what is no return."""
    for name in ("from", "to", "rule", "reason"):
        if not isinstance(data.get(name), str):
            raise InvalidInput(name, WHERE, "a text", data.get(name))
    source, target = (_stage(data, name) for name in ("from", "to"))
    return Returned(source, target, data["rule"], data["reason"])


def _stage(data: Mapping[str, Any], name: str) -> Stage:
    try:
        return Stage(data[name])
    except ValueError:
        allowed = f"one of {[stage.value for stage in Stage]}"
        raise InvalidInput(name, WHERE, allowed, data[name]) from None
