"""Guardrail: one thing in which a candidate may not fall behind, and how that stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from driftloop.rollout.contrast import Bounds

Standing = Literal["breached", "clear", "open"]
GUARDED = 4
"""Guardrails that share the chance of a wrong alarm."""


@dataclass(frozen=True)
class Guardrail:
    """How one stands, and the sentence that says so; ``looks_bad``: the estimate is beyond it."""

    name: str
    standing: Standing
    sentence: str = ""
    looks_bad: bool = False


def of_bounds(name: str, bounds: Bounds, worst: float, unit: str) -> Guardrail:
    """Return how a difference stands that may be at most ``worst``.

    ``unit``: what the numbers are, for the sentence.

    >>> of_bounds("latency", Bounds(0.3, 0.4, 0.5), 0.25, "of the logarithm").standing
    'breached'
    """
    told = (
        f"{name} differs by {bounds.estimate:+.3g} [{bounds.low:+.3g}, {bounds.high:+.3g}] {unit}"
    )
    sentence = f"{told}; {worst:.3g} is allowed."
    if bounds.low > worst:
        return Guardrail(name, "breached", sentence, looks_bad=True)
    standing: Standing = "clear" if bounds.high <= worst else "open"
    return Guardrail(name, standing, sentence, bounds.estimate > worst)
