"""Objective: what the model learns, how it is judged, and the number the business reads."""

from __future__ import annotations

from typing import Literal

from driftloop.spec.base import Spec


class Kpi(Spec):
    """The number the business reads; ``formula`` names the columns of a scored cohort."""

    name: str
    formula: str
    unit: str
    direction: Literal["maximize", "minimize"] = "maximize"


class Objective(Spec):
    """What the model learns and how it is judged."""

    name: str
    label: str
    metric: Literal["log_loss"]
    direction: Literal["minimize", "maximize"]
    kpi: Kpi
