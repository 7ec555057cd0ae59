"""Outcomes: how two bundles that serve side by side compare once their outcomes are mature.

A look comes with each cohort of mature records. Few looks come, so each spends its own part of the
chance of a wrong alarm, alpha / (k (k + 1)) for the k-th, which sum to alpha. Entities come again
from cohort to cohort, so errors are added up as if they were one and the same (never too small).
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, ValidationError
from scipy.special import stdtrit

from driftloop.rollout import guardrail
from driftloop.rollout.contrast import Bounds
from driftloop.rollout.guardrail import Guardrail
from driftloop.spec.rollout import Guardrails
from driftloop.value import Value
from driftloop_contracts import event_types
from driftloop_contracts.errors import InvalidInput

Number = Annotated[float, Field(allow_inf_nan=False)]
Pair = tuple[Number, Number]
"""The candidate's and the stable bundle's."""
Error = Annotated[float, Field(allow_inf_nan=False, ge=0)]


class Compared(Value):
    """One measure of both bundles, with its errors."""

    values: Pair
    errors: tuple[Error, Error]

    def mixed(self, other: Compared, share: float) -> Compared:
        """Return both cohorts' mean, of which ``other`` has this share."""
        return Compared(
            values=_mixed(self.values, other.values, share),
            errors=_mixed(self.errors, other.errors, share),
        )

    def swapped(self) -> Compared:
        """Return it with the bundles the other way round."""
        return Compared(values=self.values[::-1], errors=self.errors[::-1])


class Beside(Value):
    """What one cohort tells of two bundles.

    ``start``, ``end``: when its rows were asked; ``weight`` in rows, ``groups`` of entities.
    """

    bundles: tuple[str, str]
    start: datetime
    end: datetime
    weight: float = Field(gt=0, allow_inf_nan=False)
    groups: int = Field(gt=1)
    kpi: Compared | None = None
    calibration: Compared | None = None


class Outcomes(Value):
    """What all cohorts tell so far."""

    looks: int = 0
    weight: float = 0.0
    groups: int = 0
    kpi: Compared | None = None
    calibration: Compared | None = None

    def after(self, told: Beside, candidate: str) -> Outcomes:
        """Return the outcomes with one more cohort."""
        turned = told.bundles[0] != candidate
        weight = self.weight + told.weight
        share = told.weight / weight
        return Outcomes(
            looks=self.looks + 1,
            weight=weight,
            groups=min(self.groups or told.groups, told.groups),
            kpi=_grown(self.kpi, told.kpi, share, turned),
            calibration=_grown(self.calibration, told.calibration, share, turned),
        )

    def guardrails(self, allowed: Guardrails, alpha: float) -> list[Guardrail]:
        """Return how those stand of which anything is known."""
        if not self.looks:
            return []
        level = alpha / (self.looks * (self.looks + 1))
        reach = float(stdtrit(self.groups - 1, 1 - level / 2))
        found = []
        if self.kpi:
            found.append(_of_kpi(self.kpi, reach, allowed.kpi))
        if self.calibration:
            found.append(_of_calibration(self.calibration, reach, allowed.calibration))
        return found


def _of_kpi(kpi: Compared, reach: float, allowed: float) -> Guardrail:
    (candidate, stable), (error, other) = kpi.values, kpi.errors
    lacking = stable - candidate
    # What is allowed follows the stable bundle's own value, and so do the errors of both.
    wide = reach * math.hypot(error, (1 - math.copysign(allowed, stable)) * other)
    bounds = _around(lacking, wide)
    said = f"below the stable bundle's {stable:.3g}"
    return guardrail.of_bounds("The KPI", bounds, allowed * abs(stable), said, blocks=True)


def _of_calibration(found: Compared, reach: float, allowed: float) -> Guardrail:
    """Return how far outcomes are from what was predicted, beyond the stable bundle's own.

    It is breached where it is surely further than allowed, and surely further than the other's.
    """
    candidate, stable = (abs(value) for value in found.values)
    beyond = _around(candidate - math.log1p(allowed), reach * found.errors[0])
    further = _around(candidate - stable, reach * math.hypot(*found.errors))
    both = Bounds(*(min(pair) for pair in zip(beyond, further, strict=True)))
    name, said = "What became of its predictions", "in logarithms beyond what is allowed"
    return guardrail.of_bounds(name, both, 0.0, said, blocks=True)


def _around(value: float, wide: float) -> Bounds:
    return Bounds(value - wide, value, value + wide)


def _grown(
    known: Compared | None, told: Compared | None, share: float, turned: bool
) -> Compared | None:
    if told is None:
        return known
    told = told.swapped() if turned else told
    return known.mixed(told, share) if known else told


def _mixed(known: Pair, told: Pair, share: float) -> Pair:
    first, second = ((1 - share) * a + share * b for a, b in zip(known, told, strict=True))
    return first, second


def from_data(data: Any) -> Beside:
    """Return what an event tells; raise InvalidInput for anything else."""
    try:
        return Beside.model_validate(data)
    except ValidationError as error:
        where, allowed = event_types.COHORT_SCORED, "two bundles compared"
        raise InvalidInput("beside", where, allowed, str(error)) from error
