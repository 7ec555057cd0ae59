"""Data: where rows and outcomes come from, and what is promised of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from driftloop.quantities import Duration, Share, show_duration
from driftloop.spec.base import Spec
from driftloop.spec.contract import Contract
from driftloop.spec.labelling import Labelling
from driftloop_contracts.errors import InvalidInput


class Source(Spec):
    """Where rows come from; ``warm_up`` is the history the first model is trained on.

    ``contract``: what it promises of them (none: nothing).
    """

    name: str
    warm_up: Duration
    parameters: dict[str, Any] = Field(default_factory=dict)
    contract: Contract | None = None


class LabelSource(Spec):
    """Where outcomes of one name come from, and when a record without one is decided.

    ``maturity``: the age from which a record's label counts; ``completeness``: the share of
    outcomes known by then that is enough: the delays seen may then say a shorter maturity;
    ``absent``: what a mature record without an outcome is.
    """

    name: str = Field(min_length=1)
    maturity: Duration
    completeness: Share | None = None
    absent: Literal["unknown", "negative"] = "unknown"

    @field_validator("completeness")
    @classmethod
    def _can_be_reached(cls, completeness: float | None) -> float | None:
        if completeness is not None and not 0 < completeness < 1:
            raise ValueError("a share above 0% and below 100%")
        return completeness


class Data(Spec):
    """Sources and what is promised of them.

    ``labels``: where each kind of outcome comes from, by name; ``label_maturity``: of a
    label that is not named there, the age from which it counts: a row without an outcome by then
    is unknown and left out, unless a named one says ``absent: negative``; ``freshness``: oldest
    acceptable newest row; ``max_rejected``: share of bad rows at which a run stops;
    ``training_source``: whose contract a training's rows are to keep where
    its order says nothing (left out: that of the first).
    """

    sources: tuple[Source, ...] = Field(min_length=1, max_length=20)
    labels: tuple[LabelSource, ...] = Field(default=(), max_length=20)
    label_maturity: Duration
    freshness: Duration
    max_rejected: Share
    labelling: Labelling = Field(default_factory=Labelling)
    training_source: str = ""

    @field_validator("labels")
    @classmethod
    def _names_differ(cls, labels: tuple[LabelSource, ...]) -> tuple[LabelSource, ...]:
        if len({label.name for label in labels}) < len(labels):
            raise ValueError("labels of different names")
        return labels

    @model_validator(mode="after")
    def _refer_to_sources(self) -> Data:
        known = {source.name: source.contract for source in self.sources}
        if self.training_source and self.training_source not in known:
            raise ValueError(f"a trainingSource among {sorted(known)}")
        for source in self.sources:
            for one in source.contract.refers if source.contract else ():
                other = known.get(one.source)
                if other is None or not set(one.key) <= {c.name for c in other.columns}:
                    raise ValueError("refers to sources whose contract has the columns of the key")
        return self

    def label(self, name: str) -> LabelSource:
        """Return the label source of that name, else one of ``label_maturity``."""
        for label in self.labels:
            if label.name == name:
                return label
        maturity = show_duration(self.label_maturity)
        return LabelSource.model_validate({"name": name, "maturity": maturity})

    def read_from(self, name: str) -> Source:
        """Return the source ``name``; of '' that of the loop's trainings, the first unless said."""
        wanted = name or self.training_source
        return self.source(wanted) if wanted else self.sources[0]

    def source(self, name: str) -> Source:
        """Return the source of that name."""
        for source in self.sources:
            if source.name == name:
                return source
        raise InvalidInput(
            "data source", "loop.yaml", f"one of {[s.name for s in self.sources]}", name
        )
