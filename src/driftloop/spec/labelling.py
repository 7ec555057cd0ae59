"""Labelling: which labels there are, how many may be wrong, and how many rows people look at."""

from __future__ import annotations

from pydantic import Field, field_validator

from driftloop.quantities import Share
from driftloop.spec.base import Spec


class Review(Spec):
    """A batch for review: so many ``rows``, of which the share ``random`` is drawn at random."""

    rows: int = Field(default=200, gt=0, le=100_000)
    random: Share = Field(default="25%", validate_default=True)

    @field_validator("random")
    @classmethod
    def _tells_of_the_rest(cls, random: float) -> float:
        if random <= 0:
            raise ValueError("a share above 0%, or nothing would be known of the other rows")
        return random


class Labelling(Spec):
    """How labels are made and checked.

    ``classes``: their names in order, of two the negative one first (where the objective has
    classes, those, and nothing else may be said); ``decidable``: whether a
    person could tell the class from a row, as of a text and not of a click; ``max_errors``: the
    share of wrong labels that the charter allows.
    """

    classes: tuple[str, ...] = Field(default=("no", "yes"), min_length=2, max_length=100)
    decidable: bool = False
    max_errors: Share = Field(default="5%", validate_default=True)
    review: Review = Field(default_factory=Review)

    @field_validator("classes")
    @classmethod
    def _names_differ(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes) or not all(name.strip() for name in classes):
            raise ValueError("names that differ")
        return classes
