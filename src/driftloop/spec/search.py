"""Search: how much a training may try to find better parameters."""

from __future__ import annotations

from pydantic import Field, field_validator

from driftloop.quantities import Duration
from driftloop.spec.base import Spec


class Search(Spec):
    """The limits of a search over the values that model.py's ``search_spaces`` gives.

    ``budget``: time for all estimators together; the best so far counts when it is over;
    ``candidates``: combinations of values that each estimator starts with; ``folds``: blocks of
    time, each judged by what came before it; ``factor``: one in so many goes on to more rows.
    """

    budget: Duration = Field(default="60s", validate_default=True)
    candidates: int = Field(default=20, ge=2, le=500)
    folds: int = Field(default=3, ge=1, le=10)
    factor: int = Field(default=3, ge=2, le=10)

    @field_validator("budget")
    @classmethod
    def _is_some(cls, budget: Duration) -> Duration:
        if not budget.total_seconds() > 0:
            raise ValueError("a budget above 0s")
        return budget

    def shared_by(self, count: int) -> Search:
        """Return the limits of one of ``count`` estimators that share the budget."""
        return self.model_copy(update={"budget": self.budget / count})
