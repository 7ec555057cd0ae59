"""LearningLoop: an ML system's declaration, read from loop.yaml and validated.

The same YAML is the laptop's configuration and the cluster's resource. An unknown key or a
number without its unit is refused with the field, what is allowed and what was got.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import ConfigDict, Field, ValidationError, model_validator

from driftloop.quantities import Duration, PerTime, Share
from driftloop.spec.base import Spec
from driftloop.spec.business import Business
from driftloop.spec.charter import Charter
from driftloop.spec.cohorts import Cohorts
from driftloop.spec.data import Data, LabelSource
from driftloop.spec.features import Features
from driftloop.spec.gate import Gate
from driftloop.spec.imbalance import Imbalance
from driftloop.spec.labelling import Labelling
from driftloop.spec.memory import Memory
from driftloop.spec.objective import Objective
from driftloop.spec.orders import Orders
from driftloop.spec.rollout import Rollout
from driftloop.spec.scoping import Scoping
from driftloop.spec.search import Search
from driftloop_contracts import text
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY, CHOSEN

API_VERSION = "driftloop.io/v1alpha1"
Kind = TypeVar("Kind", bound=Spec)
NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"


class Training(Spec):
    """The data window, the recency half-life of sample weights, and who competes.

    ``holdout``: the latest share of the window that judges; the winner is fitted again on all
    of it before release (docs/adr/0005); ``search``: for better parameters, off where left out;
    ``memory``: the most that a step may hold, without which it holds all rows (docs/training.md).
    """

    window: Duration
    half_life: Duration
    holdout: Share
    estimators: tuple[str, ...] = Field(min_length=1)
    min_rows: int = Field(gt=0)
    imbalance: Imbalance = Field(default_factory=Imbalance)
    search: Search | None = None
    memory: Memory | None = None


OLDER_NAMES = {"duration": "minDuration", "minRows": "rows"}
"""What ``drift.window`` called its fields in 0.1: still read, so that live loops go on."""


def _with_older_names(schema: dict[str, Any]) -> None:
    properties = schema["properties"]
    properties |= {old: properties[new] for old, new in OLDER_NAMES.items()}
    del schema["required"]
    either = [f"(has(self.{new}) || has(self.{old}))" for old, new in OLDER_NAMES.items()]
    rule = {"rule": " && ".join(either), "message": "must have minDuration and rows"}
    schema["x-kubernetes-validations"] = [rule]


class Window(Spec):
    """Windows lie on the grid of ``min_duration`` and end with the cell that gives them ``rows``.

    After ``max_duration`` one is judged with the rows it has.
    """

    model_config = ConfigDict(json_schema_extra=_with_older_names)

    rows: int = Field(gt=0)
    min_duration: Duration
    max_duration: Duration = Field(default="7d", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        return {OLDER_NAMES.get(name, name): value for name, value in data.items()}

    @model_validator(mode="after")
    def _grows(self) -> Window:
        if not timedelta(0) < self.min_duration <= self.max_duration:
            raise ValueError("a minDuration above 0s and at most maxDuration")
        return self


class Reference(Spec):
    """The latest days that windows are compared with.

    ``rows``: of the sample that Alibi Detect compares with; ``seasonality``: weekly compares
    weekdays with the same weekdays.
    """

    rows: int = Field(default=5000, gt=0)
    days: Duration
    seasonality: Literal["none", "weekly"] = "none"


class Stream(Spec):
    """What is watched beside the features: served predictions, or their mature outcomes.

    ``min_effect``: where it is not that of ``drift``.
    """

    watch: bool = True
    min_effect: float | None = Field(default=None, gt=0, lt=1)


class Drift(Spec):
    """When the sidecar says drift.

    ``false_alarms``: the budget, over all features, windows and replicas; ``min_effect``: the
    smallest change worth a retraining, as Cohen's h: 0.05 is a share that goes from 2 to 2.75 %, a
    mean that moves by 0.06 standard deviations.
    """

    false_alarms: PerTime
    min_effect: float = Field(default=0.05, gt=0, lt=1)
    window: Window
    reference: Reference
    predictions: Stream = Field(default_factory=Stream)
    outcomes: Stream = Field(default_factory=Stream)


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
    orders: Orders = Field(default_factory=Orders)
    scoping: Scoping = Field(default_factory=Scoping)
    cohorts: Cohorts = Field(default_factory=Cohorts)

    @model_validator(mode="after")
    def _names_its_columns(self) -> LoopSpec:
        known = {*self.features.entities, *self.features.names()} - {*self.features.names("text")}
        truth = {CATEGORY} if self.objective.classes else set()
        allowed = {self.gate.entity: known} | dict.fromkeys(self.gate.slices.columns, known | truth)
        for name, among in allowed.items():
            if name not in among:
                raise ValueError(f"a gate.entity and gate.slices.columns among {sorted(among)}")
        return self

    @model_validator(mode="after")
    def _leaves_propensities_free(self) -> LoopSpec:
        own = {*self.features.entities, *self.features.names()}
        own |= {name for one in self.features.names("text") for name in text.names(one)}
        if taken := {*self.business.propensities} & own:
            raise ValueError(f"columns and entities of other names than '{min(taken)}'")
        return self

    @model_validator(mode="after")
    def _suits_its_classes(self) -> LoopSpec:
        taken = {CATEGORY, CHOSEN} & {*self.features.entities, *self.features.names()}
        if taken and self.objective.classes:
            raise ValueError(f"columns and entities of other names than '{min(taken)}'")
        if self.charter.costs and not self.objective.classes:
            raise ValueError("charter.costs only where the objective has classes")
        if self.objective.classes and self.label_source.absent == "negative":
            raise ValueError("a label whose 'absent' is 'unknown', where the objective has classes")
        training = self.training
        samples = bool(training.search) or not training.imbalance.is_off
        if self.objective.classes and (training.memory or samples):
            raise ValueError("no training.memory, search or imbalance where there are classes")
        if training.memory and (samples or self.features.names("text")):
            raise ValueError("no training.memory with search, imbalance or columns of kind text")
        return self

    @model_validator(mode="after")
    def _has_one_target(self) -> LoopSpec:
        target, older = self.charter.target, self.business.target
        declared = target.kpi if target else None
        if declared is not None and older is not None and declared != older:
            raise ValueError(
                f"one target of the KPI: charter.target.kpi is {declared:g}, and business.target, "
                f"its older name, {older:g}"
            )
        return self

    @model_validator(mode="after")
    def _pivots_elsewhere(self) -> LoopSpec:
        if self.objective.name in {one.name for one in self.business.alternatives}:
            name = self.objective.name
            raise ValueError(f"business.alternatives of other names than the objective's, '{name}'")
        return self

    @model_validator(mode="after")
    def _labels_its_classes(self) -> LoopSpec:
        # A cluster's API server writes the default where nothing is given.
        unsaid = Labelling.model_fields["classes"].default
        given, classes = self.data.labelling.classes, self.objective.classes
        if classes and given not in (unsaid, classes):
            raise ValueError("no data.labelling.classes other than objective.classes")
        return self

    @property
    def kpi_target(self) -> float | None:
        """Return what the KPI must reach, None where that is not said."""
        target = self.charter.target
        return target.kpi if target and target.kpi is not None else self.business.target

    @property
    def label_classes(self) -> tuple[str, ...]:
        """Return the names of labels: the objective's classes, or else those of the labelling."""
        return self.objective.classes or self.data.labelling.classes

    @property
    def terms(self) -> Business:
        """Return ``business`` with the KPI's target, wherever that is declared."""
        return self.business.model_copy(update={"target": self.kpi_target})

    @property
    def label_source(self) -> LabelSource:
        """Return where the objective's label comes from."""
        return self.data.label(self.objective.label)


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

    def parameters(self, source: str, kind: type[Kind]) -> Kind:
        """Return a data source's parameters as ``kind``; raise InvalidInput for the first fault."""
        try:
            return kind.model_validate(self.spec.data.source(source).parameters)
        except ValidationError as error:
            where = f"loop.yaml at data.sources.{source}.parameters"
            raise invalid_input(error, where) from error


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
    """Return pydantic's first finding in the project's template, a key that is not known first.

    A key that is misspelt is missing as well, which alone would not say why.
    """
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    what = ".".join(str(part) for part in first["loc"]) or "the document"
    if first["type"] == "extra_forbidden":
        return InvalidInput(what, where, "absent: no such key", first["input"])
    if first["type"] == "missing":
        return InvalidInput(what, where, "present", "nothing")
    message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return InvalidInput(what, where, message[:1].lower() + message[1:], first["input"])
