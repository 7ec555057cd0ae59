"""Scoping: the framing of a problem, from a wish to an input, an output and a rule to beat."""

from __future__ import annotations

from pydantic import Field

from driftloop.quantities import PerTime, Share
from driftloop.spec.base import Spec


class BottleneckClaim(Spec):
    """Which step of today's process is to become faster or better.

    ``step``: its name; ``evidence``: a CSV or parquet file beside loop.yaml with the columns
    step and minutes (or start and end), and case where several steps are of one case;
    ``minutes``: that the step would take each time with what is to be built.
    """

    step: str = ""
    evidence: str = ""
    minutes: float | None = Field(default=None, ge=0)


class Scoping(Spec):
    """What the problem is, in words that the verdict checks against data.

    ``wish``: as it was first said; ``input``, ``output``: what the model gets and what it
    answers; ``objective``: what is minimised or maximised; ``rule``: what is done without ML;
    ``least_gain``: relative loss less than the best rule's from which ML is worth its cost, unless
    ``percent_worth`` (what each percent brings, in the budget's currency) and the budget's cost
    say it.
    """

    wish: str = ""
    bottleneck: BottleneckClaim = Field(default_factory=BottleneckClaim)
    input: str = ""
    output: str = ""
    objective: str = ""
    rule: str = ""
    least_gain: Share = Field(default="1%", validate_default=True)
    percent_worth: PerTime | None = None
