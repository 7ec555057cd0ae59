"""Charter: why a system exists, whose it is, what it may cost and what it must reach."""

from __future__ import annotations

from pydantic import Field, model_validator

from driftloop.quantities import PerTime, Size, TimePerTime
from driftloop.spec.base import Spec
from driftloop.spec.costs import Costs


class Budget(Spec):
    """What the system may take; what is left out is told and not judged.

    ``labels``: labelled rows in all; ``compute``: CPU time of training; ``memory``: peak of one
    training; ``cost``: of running it, in ``currency``.
    """

    labels: int | None = Field(default=None, gt=0)
    compute: TimePerTime | None = None
    memory: Size | None = None
    cost: PerTime | None = None
    currency: str = "EUR"


class Target(Spec):
    """What must be reached to be worth it: a value of the objective's metric, or of its KPI."""

    metric: float | None = None
    kpi: float | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Target:
        if (self.metric is None) == (self.kpi is None):
            raise ValueError("either a metric or a kpi")
        return self


class Charter(Spec):
    """Why the system exists, whose it is, and when it should end.

    ``training_budget``: most trainings; ``budget``: what it may cost; ``target``: what it must
    reach; ``costs``: of answers among classes; a request whose answer would cost more than a person
    goes to a person.
    """

    summary: str
    owner: str
    stakeholders: tuple[str, ...] = ()
    training_budget: PerTime | None = None
    budget: Budget = Field(default_factory=Budget)
    target: Target | None = None
    stop_when: str = ""
    costs: Costs | None = None
