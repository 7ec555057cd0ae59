"""Costs: what an answer that is wrong costs, and what a person costs who answers instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from driftloop.spec.base import Spec

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]


class Costs(Spec):
    """Of one request, both in ``unit``: a wrong answer, and a person who answers instead."""

    unit: str = Field(min_length=1)
    wrong_answer: float = Field(gt=0, lt=1e12)
    person: float = Field(gt=0, lt=1e12)

    @model_validator(mode="after")
    def _leaves_a_choice(self) -> Costs:
        if not self.person < self.wrong_answer:
            raise ValueError("a person who costs less than a wrong answer, else nothing is asked")
        return self

    @property
    def threshold(self) -> float:
        """Return the confidence above which an answer costs less than a person, on average.

        >>> Costs(unit="EUR", wrong_answer=20, person=4).threshold
        0.8
        """
        return 1 - self.person / self.wrong_answer

    def decided(self, confidence: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return whether each answer is given: (1 - confidence) wrong_answer < person.

        Source: Chow (1970), "On optimum recognition error and reject tradeoff".
        """
        found: np.ndarray[Any, np.dtype[np.bool_]]
        found = (1 - confidence) * self.wrong_answer < self.person
        return found
