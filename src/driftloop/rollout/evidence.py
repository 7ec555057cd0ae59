"""Evidence: what all looks at a rollout together show."""

from __future__ import annotations

import math

from driftloop.rollout import guardrail
from driftloop.rollout.arm import Arm
from driftloop.rollout.contrast import Bounds, Contrast
from driftloop.rollout.failures import Failures
from driftloop.rollout.guardrail import GUARDED, Guardrail
from driftloop.spec.rollout import Guardrails
from driftloop.value import Value


class Evidence(Value):
    """Sums over all looks of both bundles, ``usual``: what the stable one did in all of them."""

    failures: Failures = Failures()
    latency: Contrast = Contrast()
    prediction: Contrast = Contrast()
    outcome: Contrast = Contrast()
    usual: Arm = Arm()

    def after(self, candidate: Arm, stable: Arm, allowed: Guardrails) -> Evidence:
        """Return the evidence with what both did since the last look."""
        sides = (candidate.requests, candidate.failed), (stable.requests, stable.failed)
        return Evidence(
            failures=self.failures.after(*sides, allowed.failures),
            latency=self.latency.after(candidate.latency, stable.latency),
            prediction=self.prediction.after(candidate.prediction, stable.prediction),
            outcome=self.outcome.after(candidate.outcome, stable.outcome),
            usual=self.usual + stable,
        )

    def guardrails(
        self, allowed: Guardrails, *, maximize: bool, predicted: float = 1.0
    ) -> list[Guardrail]:
        """Return how each guardrail stands.

        ``maximize``: whether more of the outcome is better; ``predicted``: the candidate's mean
        prediction over the stable bundle's that is expected.
        """
        alpha = allowed.alpha / GUARDED
        outcome = self.outcome.bounds(alpha)
        loss = Bounds(-outcome.high, -outcome.estimate, -outcome.low) if maximize else outcome
        return [
            self._failing(allowed, alpha),
            guardrail.of_bounds(
                "Latency", self.latency.bounds(alpha), math.log1p(allowed.latency), "in logarithms"
            ),
            self._predicting(allowed, alpha, predicted),
            guardrail.of_bounds(
                "The outcome's loss", loss, allowed.outcome * abs(self.usual.outcome.mean), "a row"
            ),
        ]

    def _failing(self, allowed: Guardrails, alpha: float) -> Guardrail:
        if self.failures.breach(alpha):
            times = f"{allowed.failures:g} times the stable bundle's rate"
            return Guardrail("failures", "breached", f"It fails more often than {times}.", True)
        return Guardrail("failures", "clear")

    def _predicting(self, allowed: Guardrails, alpha: float, predicted: float) -> Guardrail:
        found, usual = self.prediction.bounds(alpha), self.usual.prediction.mean
        bounds = Bounds(*(one - (predicted - 1) * usual for one in found))
        away = Bounds(
            max(bounds.low, -bounds.high), abs(bounds.estimate), max(bounds.high, -bounds.low)
        )
        worst = allowed.prediction * abs(predicted * usual)
        return guardrail.of_bounds("The mean prediction", away, worst, "from what the gate saw")
