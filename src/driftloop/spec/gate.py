"""Gate: what a candidate must show before it may replace the champion."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from driftloop.quantities import Share, Size
from driftloop.spec.base import Spec

Rule = Literal["notWorse", "better"]


class GateRule(Spec):
    """What the cause of a retraining asks of its candidate.

    ``changed``: objective, features or estimators are not those that the champion came from; it
    joins the other causes.
    """

    drift: Rule = "notWorse"
    staleness: Rule = "notWorse"
    growth: Rule = "notWorse"
    manual: Rule = "better"
    changed: Rule = "better"


class Slices(Spec):
    """Parts of the traffic that no candidate may harm.

    ``columns``: each of their values is a slice; ``search``: whether a shallow tree looks for more
    (on one half of the entities; the other half judges); ``margin``: relative loss that a harmed
    slice is not to escape with; ``min_share``: of the rows that a slice needs to be one.
    """

    columns: tuple[str, ...] = ()
    search: bool = True
    margin: Share = Field(default="10%", validate_default=True)
    min_share: Share = Field(default="2%", validate_default=True)

    @model_validator(mode="after")
    def _has_a_margin(self) -> Slices:
        if not self.margin > 0:
            raise ValueError("a margin above 0%")
        return self


class Secondary(Spec):
    """By how much a candidate may fall behind in what is not the objective's own metric.

    ``brier``: relative Brier score; ``calibration``: of predicted over observed positives, as the
    distance of its logarithm from 0. What is left out is not judged.
    """

    brier: Share | None = None
    calibration: Share | None = None


class Budgets(Spec):
    """What a bundle may cost; what is left out is told and not judged.

    ``latency_ms``: median of one-row predictions, in milliseconds; ``size``: of all files;
    ``memory``: peak of what loading and predicting allocate.
    """

    latency_ms: float | None = Field(default=None, gt=0)
    size: Size | None = None
    memory: Size | None = None


class Gate(Spec):
    """When a candidate may replace the champion.

    ``margin``: relative loss of the primary metric that does not count as worse;
    ``confidence``: of the paired bootstrap's one-sided bounds; ``entity``: what is resampled;
    ``leakage``: share of the outcomes' deviance beyond which a single column knows too much.
    """

    entity: str
    margin: Share
    confidence: Share
    resamples: int = Field(ge=100, le=100_000)
    rule: GateRule = Field(default_factory=GateRule)
    slices: Slices = Field(default_factory=Slices)
    secondary: Secondary = Field(default_factory=Secondary)
    budgets: Budgets = Field(default_factory=Budgets)
    leakage: Share = Field(default="80%", validate_default=True)

    @model_validator(mode="after")
    def _has_bounds(self) -> Gate:
        if not 0.5 <= self.confidence < 1:
            raise ValueError("a confidence from 50% to below 100%")
        return self

    def limit(self, cause: str) -> float:
        """Return the relative loss that a candidate may show; ``cause``: several joined by '+'.

        Of several causes the one that asks for less decides: after drift a candidate that merely
        keeps up is already of use.
        """
        rules = {getattr(self.rule, one, "notWorse") for one in cause.split("+")}
        return self.margin if "notWorse" in rules else 0.0
