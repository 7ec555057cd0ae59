"""Rollout: how traffic moves to a bundle that passed the gate."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from driftloop.quantities import Duration, Share
from driftloop.spec.base import Spec


class Guardrails(Spec):
    """What sends a candidate back; each holds at every look, however often one looks.

    ``failures``: times the stable bundle's rate of failed requests that the candidate's may be;
    ``latency``: relative increase of the geometric mean; ``prediction``: relative distance of the
    mean prediction from what the gate saw; of mature records ``kpi``: relative loss of the KPI,
    and ``calibration``: relative distance of the outcomes from the predictions; ``alpha``: chance
    that a candidate which keeps them all is sent back nevertheless.
    """

    failures: float = Field(default=2.0, ge=1)
    latency: Share = Field(default="25%", validate_default=True)
    prediction: Share = Field(default="50%", validate_default=True)
    kpi: Share = Field(default="20%", validate_default=True)
    calibration: Share = Field(default="50%", validate_default=True)
    alpha: Share = Field(default="1%", validate_default=True)

    @model_validator(mode="after")
    def _has_a_chance(self) -> Guardrails:
        if not 0 < self.alpha < 1:
            raise ValueError("an alpha above 0% and below 100%")
        return self


class Rollout(Spec):
    """How traffic moves to a promoted bundle.

    ``mode``: ``direct`` at once, ``canary`` by ``steps`` of the traffic, ``shadow`` after the gate
    judged once more, on what the bundle in service answered since; ``hold``: least time at each
    step; ``requests``: fewest of the candidate's at each step; ``patience``: longest time at
    a step, after which a person is asked.
    """

    mode: Literal["canary", "shadow", "direct"] = "direct"
    steps: tuple[Share, ...] = Field(
        default=("5%", "25%", "50%"), validate_default=True, max_length=20
    )
    hold: Duration = Field(default="30m", validate_default=True)
    requests: int = Field(default=100, gt=0)
    patience: Duration = Field(default="6h", validate_default=True)
    guardrails: Guardrails = Field(default_factory=Guardrails)

    @model_validator(mode="after")
    def _grows(self) -> Rollout:
        growing = all(a < b for a, b in zip(self.steps, self.steps[1:], strict=False))
        if not self.steps or not growing or not self.steps[0] > 0 or not self.steps[-1] < 1:
            raise ValueError("growing steps above 0% and below 100%")
        if not timedelta(0) < self.hold <= self.patience:
            raise ValueError("a hold above 0s and at most the patience")
        return self

    def share(self, step: int) -> float:
        """Return the share of a step, the last one's beyond it: there may have been more before."""
        return self.steps[min(step, len(self.steps) - 1)]
