"""Features: the model's columns, and what is looked up for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from driftloop.quantities import Share
from driftloop.spec.base import Spec
from driftloop_contracts import text


class Column(Spec):
    """One input of the model.

    ``kind``: a ``text`` is what somebody wrote: the model gets it ('' for none, and no more than
    its first 20,000 characters), and windows test what is derived of it (docs/classes.md);
    ``origin``: 'request' for a value the caller sends, else the Feast feature view it is
    looked up in; ``range``: what the contract allows of a number; ``max_missing``: the share
    of rows that may lack it; ``monitored``: whether the sidecar tests it for drift;
    ``min_effect``: the smallest distance worth a retraining where it is not drift.minEffect;
    ``if_absent``: what a predictor does where a looked-up value is missing or expired: predict
    without it, put ``default`` in its place (both are told to the caller), or refuse.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["numeric", "categorical", "text"]
    origin: str
    range: tuple[float | None, float | None] = (None, None)
    max_missing: Share = Field(default="0%", validate_default=True)
    monitored: bool = True
    min_effect: float | None = Field(default=None, gt=0, lt=1)
    if_absent: Literal["predict", "default", "reject"] = "predict"
    default: float | str | None = None

    @model_validator(mode="after")
    def _default_fits(self) -> Column:
        if self.if_absent != "predict" and self.origin == "request":
            raise ValueError("a column of a view where ifAbsent is not 'predict'")
        if (self.if_absent == "default") != (self.default is not None):
            raise ValueError("a column with a default if, and only if, ifAbsent is 'default'")
        if self.kind == "text" and (self.origin != "request" or self.range != (None, None)):
            raise ValueError("a text whose origin is 'request', and which has no range")
        kind = float if self.kind == "numeric" else str
        if self.default is not None and not isinstance(self.default, kind):
            raise ValueError(f"a column whose default is {self.kind}, as it is")
        return self


class Features(Spec):
    """The Feast feature service, its entity keys and the model's columns in order.

    ``max_mismatched``: the share of served values of a feature that may differ from what training
    joins for the same instants; beyond it a training stops.
    """

    service: str
    entities: tuple[str, ...] = Field(min_length=1)
    columns: tuple[Column, ...] = Field(min_length=1, max_length=500)
    max_mismatched: Share = Field(default="1%", validate_default=True)

    @field_validator("columns")
    @classmethod
    def _names_differ(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        names = [column.name for column in columns]
        if len(set(names)) < len(names):
            raise ValueError("columns of different names")
        return columns

    @model_validator(mode="after")
    def _leaves_names_free(self) -> Features:
        own = {*self.entities, *(column.name for column in self.columns)}
        texts = (column.name for column in self.columns if column.kind == "text")
        taken = {name for one in texts for name in text.names(one)} & own
        if taken:
            raise ValueError(f"columns and entities of other names than '{min(taken)}'")
        return self

    @model_validator(mode="after")
    def _keys_are_no_columns(self) -> Features:
        both = {*self.entities} & {column.name for column in self.columns}
        if both:  # A column's values are logged as it is fed to the model, a key's as it is joined.
            raise ValueError(f"columns of other names than the entities, not '{min(both)}'")
        return self

    def names(self, kind: str | None = None, origin: str | None = None) -> list[str]:
        """Return the columns' names in order, of one kind or origin if given."""
        return [
            column.name
            for column in self.columns
            if kind in (None, column.kind) and origin in (None, column.origin)
        ]

    @property
    def views(self) -> list[str]:
        """Return the feature views the columns are looked up in, each once, in order."""
        return list(dict.fromkeys(c.origin for c in self.columns if c.origin != "request"))
