"""Evidence: what all looks at a rollout together show."""

from __future__ import annotations

import math

from scipy.special import stdtrit

from driftloop.rollout import guardrail
from driftloop.rollout.arm import Arm
from driftloop.rollout.contrast import Bounds, Contrast
from driftloop.rollout.entities import Entities
from driftloop.rollout.failures import Failures
from driftloop.rollout.guardrail import GUARDED, Guardrail, Standing
from driftloop.rollout.outcomes import Outcomes
from driftloop.spec.rollout import Guardrails
from driftloop.value import Value

FEW_ROWS = 100
"""Rows of a bundle up to which all looks are one doubling."""


class Evidence(Value):
    """Sums over all looks of both bundles.

    ``usual``: what the stable one did in all of them; ``entities``: whom the candidate predicted.
    """

    failures: Failures = Failures()
    latency: Contrast = Contrast()
    prediction: Contrast = Contrast()
    usual: Arm = Arm()
    entities: Entities = Entities()
    outcomes: Outcomes = Outcomes()

    def after(self, candidate: Arm, stable: Arm, allowed: Guardrails) -> Evidence:
        """Return the evidence with what both did since the last look."""
        sides = (candidate.requests, candidate.failed), (stable.requests, stable.failed)
        update = dict(
            failures=self.failures.after(*sides, allowed.failures),
            latency=self.latency.after(candidate.latency, stable.latency),
            prediction=self.prediction.after(candidate.prediction, stable.prediction),
            usual=self.usual + stable,
            entities=self.entities + candidate.entities,
        )
        return self.model_copy(update=update)

    def guardrails(self, allowed: Guardrails, predicted: float = 1.0) -> list[Guardrail]:
        """Return how each guardrail stands.

        ``predicted``: the candidate's mean prediction over the stable bundle's that is expected.
        """
        alpha = allowed.alpha / GUARDED
        latency, worst = self.latency.bounds(alpha), math.log1p(allowed.latency)
        return [
            self._failing(allowed, alpha),
            guardrail.of_bounds("Latency", latency, worst, "in logarithms", blocks=True),
            self._predicting(allowed, alpha, predicted),
            *self.outcomes.guardrails(allowed, alpha),
        ]

    def _failing(self, allowed: Guardrails, alpha: float) -> Guardrail:
        evidence = self.failures.log_evidence
        sentence = (
            f"It fails more often than {allowed.failures:g} times the stable bundle's rate "
            f"(e-value {math.exp(min(evidence, 300)):.3g})."
        )
        if self.failures.breach(alpha):
            return Guardrail("Failures", "breached", sentence, looks_bad=True)
        standing: Standing = "clear" if self.failures.cleared(alpha) else "open"
        return Guardrail("Failures", standing, sentence, evidence > 0)

    def _predicting(self, allowed: Guardrails, alpha: float, predicted: float) -> Guardrail:
        # Half of the chance for the rows, half for the entities, each at all looks.
        found, usual = self.prediction.bounds(alpha / 2), self.usual.prediction.mean
        bounds = Bounds(*(one - (predicted - 1) * usual for one in found))
        bounds = bounds.widened(self._reach(alpha / 2))
        away = Bounds(
            max(bounds.low, -bounds.high), abs(bounds.estimate), max(bounds.high, -bounds.low)
        )
        worst = allowed.prediction * abs(predicted * usual)
        # On rows later than the gate's a sound one may predict otherwise: a person is to look.
        return guardrail.of_bounds(
            "The mean prediction", away, worst, "from what the gate saw", blocks=False
        )

    def _reach(self, alpha: float) -> float:
        """Return by how much the means may differ because of whom each bundle was asked.

        Entities come all the time, and one looks all the time. While the rows double, a sum goes
        beyond a bound no oftener than twice as often as it ends there (Levy): so the bound of the
        doubling's end, by rows, holds throughout, and the k-th one spends alpha / (k (k + 1)).
        """
        own, other = self.entities, self.usual.entities
        freedom, rows = min(own.groups, other.groups) - 1, min(sum(own.n), sum(other.n))
        if freedom < 1:
            return math.inf
        doubling = max(1, math.ceil(math.log2(max(1, rows / FEW_ROWS))) + 1)
        level = alpha / (2 * doubling * (doubling + 1))
        to_its_end = math.sqrt(FEW_ROWS * 2 ** (doubling - 1) / rows)
        reach = stdtrit(freedom, 1 - level / 2) * math.hypot(own.error, other.error)
        return float(reach * max(1.0, to_its_end))
