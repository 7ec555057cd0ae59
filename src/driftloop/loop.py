"""LearningLoop: an ML system's declaration, read from loop.yaml and validated.

The same YAML is the laptop's configuration and the cluster's resource. An unknown key or a
number without its unit is refused with the field, what is allowed and what was got.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic.alias_generators import to_camel

from driftloop.quantities import Duration, PerTime, Share, show_duration
from driftloop_contracts.errors import InvalidInput

API_VERSION = "driftloop.io/v1alpha1"
NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"


class Spec(BaseModel):
    """Base of every part of the spec: frozen, camelCase keys, unknown keys refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class Charter(Spec):
    """Why the system exists, whose it is, and when it should end."""

    summary: str
    owner: str
    stakeholders: tuple[str, ...] = ()
    training_budget: PerTime | None = None
    stop_when: str = ""


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


class Source(Spec):
    """Where rows come from; ``warm_up`` is the history the first model is trained on."""

    name: str
    warm_up: Duration
    parameters: dict[str, Any] = Field(default_factory=dict)


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

    ``labels``: where each kind of outcome comes from, by name; ``label_maturity``: time after
    which a row without a label counts as negative, and the maturity of a label that is not
    named; ``freshness``: oldest acceptable newest row; ``max_rejected``: share of bad rows at
    which a run stops.
    """

    sources: tuple[Source, ...] = Field(min_length=1, max_length=20)
    labels: tuple[LabelSource, ...] = Field(default=(), max_length=20)
    label_maturity: Duration
    freshness: Duration
    max_rejected: Share

    @field_validator("labels")
    @classmethod
    def _names_differ(cls, labels: tuple[LabelSource, ...]) -> tuple[LabelSource, ...]:
        if len({label.name for label in labels}) < len(labels):
            raise ValueError("labels of different names")
        return labels

    def label(self, name: str) -> LabelSource:
        """Return the label source of that name, else one of ``label_maturity``."""
        for label in self.labels:
            if label.name == name:
                return label
        maturity = show_duration(self.label_maturity)
        return LabelSource.model_validate({"name": name, "maturity": maturity})

    def source(self, name: str) -> Source:
        """Return the source of that name."""
        for source in self.sources:
            if source.name == name:
                return source
        raise InvalidInput(
            "data source", "loop.yaml", f"one of {[s.name for s in self.sources]}", name
        )


class Column(Spec):
    """One input of the model.

    ``origin``: 'request' for a value the caller sends, else the Feast feature view it is
    looked up in; ``range``: what the contract allows of a number; ``max_missing``: the share
    of rows that may lack it; ``monitored``: whether the sidecar tests it for drift;
    ``min_effect``: the smallest distance worth a retraining where it is not drift.minEffect;
    ``if_absent``: what a predictor does where a looked-up value is missing or expired: predict
    without it, put ``default`` in its place (both are told to the caller), or refuse.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["numeric", "categorical"]
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
        kind = str if self.kind == "categorical" else float
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


class Training(Spec):
    """The data window, the recency half-life of sample weights, and who competes.

    ``holdout``: the latest share of the window that judges; the winner is fitted again on all
    of it before release (docs/adr/0005).
    """

    window: Duration
    half_life: Duration
    holdout: Share
    estimators: tuple[str, ...] = Field(min_length=1)
    min_rows: int = Field(gt=0)


class Gate(Spec):
    """When a candidate may replace the champion.

    ``margin``: relative loss of the primary metric that does not count as worse;
    ``confidence``: of the paired bootstrap's one-sided bounds; ``entity``: what is resampled.
    """

    entity: str
    margin: Share
    confidence: Share
    resamples: int = Field(ge=100, le=100_000)


class Window(Spec):
    """A tumbling window on the event-time grid; one with fewer rows is carried over."""

    duration: Duration
    min_rows: int = Field(gt=0)


class Reference(Spec):
    """The sample that windows are compared with: so many rows of the latest days."""

    rows: int = Field(gt=0)
    days: Duration


class Drift(Spec):
    """When the sidecar says drift.

    ``false_alarms``: the budget, over all features and windows; ``min_effect``: the smallest
    distance in [0, 1] worth a retraining.
    """

    false_alarms: PerTime
    min_effect: float = Field(gt=0, lt=1)
    window: Window
    reference: Reference


class Retrain(Spec):
    """What follows from each cause, and the limits on retraining.

    ``collect``: labelled data from the onset on that a drift retraining waits for;
    ``growth``: a model trained on little data after an onset is trained once more when that
    data has grown so many times (0: never); ``max_age``: staleness; ``cooldown``: least time
    between two retrainings; ``daily_budget``: most in any 24 hours; ``breaker``: retrainings
    in a row without a promotion after which a person is asked.
    """

    on_drift: Literal["retrain", "alert"] = "retrain"
    on_data_fault: Literal["alert"] = "alert"
    on_staleness: Literal["retrain", "alert"] = "retrain"
    collect: Duration
    growth: float = Field(ge=0)
    max_age: Duration
    cooldown: Duration
    daily_budget: int = Field(gt=0)
    breaker: int = Field(gt=0)


class Rollout(Spec):
    """How traffic moves to a promoted bundle."""

    mode: Literal["direct"] = "direct"


class Business(Spec):
    """How often the business review reads the KPI."""

    period: Duration


class LoopSpec(Spec):
    """The whole of ``spec``."""

    charter: Charter
    objective: Objective
    data: Data
    features: Features
    training: Training
    gate: Gate
    drift: Drift
    retrain: Retrain
    rollout: Rollout
    business: Business
    image: str = ""
    paused: bool = False
    pin: str = ""


class Metadata(Spec):
    """The resource's name, which is also the prefix of everything the loop owns."""

    name: str = Field(pattern=NAME)
    namespace: str = "default"


class LearningLoop(Spec):
    """A loop.yaml, whole."""

    api_version: Literal["driftloop.io/v1alpha1"]
    kind: Literal["LearningLoop"]
    metadata: Metadata
    spec: LoopSpec

    @property
    def name(self) -> str:
        """Return the loop's name."""
        return self.metadata.name


def read(path: Path) -> LearningLoop:
    """Return the LearningLoop in the file ``path``; raise InvalidInput naming the first fault."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput("loop.yaml", str(path), "a readable file", error.strerror) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput("loop.yaml", str(path), "YAML in UTF-8", str(error)) from error
    return parse(content, str(path))


def parse(content: object, where: str) -> LearningLoop:
    """Return the LearningLoop that parsed YAML describes; ``where`` names it in messages."""
    try:
        return LearningLoop.model_validate(content)
    except ValidationError as error:
        raise invalid_input(error, where) from error


def invalid_input(error: ValidationError, where: str) -> InvalidInput:
    """Return pydantic's first finding in the project's template."""
    first = error.errors()[0]
    what = ".".join(str(part) for part in first["loc"]) or "the document"
    if first["type"] == "extra_forbidden":
        return InvalidInput(what, where, "absent: no such key", first["input"])
    if first["type"] == "missing":
        return InvalidInput(what, where, "present", "nothing")
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return InvalidInput(what, where, message[:1].lower() + message[1:], first["input"])
