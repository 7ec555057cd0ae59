"""Business: what the system earns and costs, and when to go on, to pivot or to end it."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator, model_validator

from driftloop.money import Amount, Money
from driftloop.quantities import Duration, Share
from driftloop.spec.base import Spec
from driftloop.spec.objective import Objective
from driftloop_contracts.inference import PROPENSITY

LONGEST = timedelta(days=3650)


class Costs(Spec):
    """What running the system costs; what is left out costs nothing.

    ``training``: each run of the training pipeline; ``thousand_predictions``: serving so many;
    ``label``: each label that somebody is paid for.
    """

    training: Money | None = None
    thousand_predictions: Money | None = None
    label: Money | None = None

    @field_validator("training", "thousand_predictions", "label")
    @classmethod
    def _is_no_income(cls, cost: Amount | None) -> Amount | None:
        if cost and cost.value < 0:
            raise ValueError("a cost of at least 0; what brings money is a price")
        return cost


class Business(Spec):
    """What the business review reads each ``period``, and what it may conclude.

    ``prices``: what one unit of a column brings, ``impression`` being the weight of a row; a price
    below 0 is a loss; ``satisfaction``: formula over the same names as the KPI's; ``target``: the
    KPI to reach, older name of ``charter.target.kpi``; ``floor``: the profit of a period below
    which the system should end; ``reviews``: how many in a row must agree before a pivot or an end;
    ``alpha``: the chance that all reviews together ever pivot or end wrongly; ``confidence``: of
    the intervals that are shown; ``resample``: whether entities or blocks of days (``block``) are
    drawn again for them; ``alternatives``: objectives to pivot to, shaped as ``objective``.
    """

    period: Duration
    prices: dict[str, Money] = Field(default_factory=dict)
    costs: Costs = Field(default_factory=Costs)
    satisfaction: str = ""
    target: float | None = Field(default=None, allow_inf_nan=False)
    floor: Money | None = None
    reviews: int = Field(default=2, ge=1, le=12)
    alpha: Share = Field(default="5%", validate_default=True)
    confidence: Share = Field(default="95%", validate_default=True)
    resample: Literal["entity", "days"] = "entity"
    block: Duration = Field(default="1d", validate_default=True)
    alternatives: tuple[Objective, ...] = Field(default=(), max_length=10)

    @field_validator("prices")
    @classmethod
    def _names_are_columns(cls, prices: dict[str, Amount]) -> dict[str, Amount]:
        if any(not name.isidentifier() or name != name.lower() for name in prices):
            raise ValueError("prices by the names of columns, in lower case")
        return prices

    @field_validator("alternatives")
    @classmethod
    def _names_differ(cls, alternatives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        if len({one.name for one in alternatives}) < len(alternatives):
            raise ValueError("alternatives of different names")
        columns = [judged_column(one.name) for one in alternatives]
        if shared := {one for one in columns if columns.count(one) > 1}:
            raise ValueError(f"alternatives that do not share the column '{min(shared)}'")
        return alternatives

    @model_validator(mode="after")
    def _makes_sense(self) -> Business:
        if len({amount.currency for amount in self._amounts()}) > 1:
            raise ValueError("amounts of one currency")
        if not self.period or self.period > LONGEST:
            raise ValueError("a period above 0s and at most 3650d")
        if not 0 < self.alpha < 0.5 or not 0.5 <= self.confidence < 1:
            raise ValueError("an alpha above 0% and below 50%, a confidence from 50% to below 100%")
        if not self.block or (self.resample == "days" and self.block > self.period):
            raise ValueError("a block above 0s and at most the period")
        return self

    @property
    def propensities(self) -> tuple[str, ...]:
        """Return the columns by which alternatives are judged, none where there are none."""
        judged = tuple(judged_column(one.name) for one in self.alternatives)
        return (PROPENSITY, *judged) if judged else ()

    @property
    def currency(self) -> str:
        """Return the currency of all amounts, '' where there are none."""
        return next((amount.currency for amount in self._amounts()), "")

    @property
    def least_profit(self) -> float:
        """Return the floor, 0 where none is set."""
        return self.floor.value if self.floor else 0.0

    def _amounts(self) -> list[Amount]:
        costs = (self.costs.training, self.costs.thousand_predictions, self.costs.label)
        return [amount for amount in (*self.prices.values(), *costs, self.floor) if amount]


def judged_column(alternative: str) -> str:
    """Return the column of the probability with which an alternative would have chosen the same.

    >>> judged_column("impressions-first")
    'propensity_impressions_first'
    """
    return f"{PROPENSITY}_{alternative.replace('-', '_')}"
