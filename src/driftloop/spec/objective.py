"""Objective: what the model learns, how it is judged, and the number the business reads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from driftloop.spec.base import Spec


class Kpi(Spec):
    """The number the business reads; ``formula`` names the columns of a scored cohort."""

    name: str
    formula: str
    unit: str
    direction: Literal["maximize", "minimize"] = "maximize"


CLASS = Annotated[str, Field(min_length=1, max_length=100)]


ONLY_WITH_CLASSES: JsonDict = {
    "rule": "(self.metric == 'cross_entropy') == (has(self.classes) && size(self.classes) > 0)",
    "message": "must have classes if, and only if, metric is cross_entropy",
}


class Objective(Spec):
    """What the model learns and how it is judged.

    ``metric``: log_loss of an outcome that comes or does not, cross_entropy of one of ``classes``,
    in the order in which probabilities are told.
    """

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": [ONLY_WITH_CLASSES]})

    name: str
    label: str
    metric: Literal["log_loss", "cross_entropy"]
    classes: tuple[CLASS, ...] = Field(default=(), max_length=50)
    direction: Literal["minimize", "maximize"]
    kpi: Kpi

    @model_validator(mode="after")
    def _has_its_classes(self) -> Objective:
        if (self.metric == "cross_entropy") != bool(self.classes):
            raise ValueError("an objective with classes if, and only if, metric is cross_entropy")
        if self.classes and not 2 <= len(set(self.classes)) == len(self.classes):
            raise ValueError("2 to 50 classes, each named once")
        return self
