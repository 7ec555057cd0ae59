"""Stage: one of the six that make a loop."""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """The stages in their order; the value is how events and pages write one."""

    SCOPING = "scoping"
    DATA_ENGINEERING = "data_engineering"
    MODEL_DEVELOPMENT = "model_development"
    DEPLOYMENT = "deployment"
    MONITORING = "monitoring"
    BUSINESS_ANALYSIS = "business_analysis"

    @property
    def number(self) -> int:
        """Return the stage's place, from 1.

        >>> Stage.BUSINESS_ANALYSIS.number
        6
        """
        return [*Stage].index(self) + 1

    @property
    def title(self) -> str:
        """Return the stage's name as a heading.

        >>> Stage.DATA_ENGINEERING.title
        'Data engineering'
        """
        return self.value.replace("_", " ").capitalize()
