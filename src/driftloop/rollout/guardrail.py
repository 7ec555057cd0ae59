"""Guardrail: one thing in which a candidate may not fall behind, and how that stands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from driftloop.rollout.contrast import Bounds

Standing = Literal["breached", "clear", "open"]
GUARDED = 5
"""Guardrails that share the chance of a wrong alarm."""


@dataclass(frozen=True)
class Guardrail:
    """How one stands, and the sentence that says so.

    ``looks_bad``: the estimate is beyond it; ``blocks``: whether a breach is the candidate's fault
    for sure, so that it does not come again.
    """

    name: str
    standing: Standing
    sentence: str = ""
    looks_bad: bool = False
    blocks: bool = True


def of_bounds(name: str, bounds: Bounds, worst: float, unit: str, *, blocks: bool) -> Guardrail:
    """Return how a difference stands that may be at most ``worst``.

    ``unit``: what the numbers are, for the sentence.

    >>> of_bounds("Latency", Bounds(0.3, 0.4, 0.5), 0.25, "in logarithms", blocks=True).standing
    'breached'
    """
    told = f"{bounds.estimate:+.3g} [{bounds.low:+.3g}, {bounds.high:+.3g}] {unit}"
    sentence = f"{name} differs by {told}; {worst:.3g} is allowed."
    if bounds.low > worst:
        return Guardrail(name, "breached", sentence, looks_bad=True, blocks=blocks)
    standing: Standing = "clear" if bounds.high <= worst else "open"
    looks_bad = bounds.estimate > worst or not math.isfinite(bounds.estimate)
    return Guardrail(name, standing, sentence, looks_bad, blocks)
