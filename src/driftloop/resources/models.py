"""What the objects beside loop.yaml hold: Retraining, LoopEvent, and every status."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from driftloop.loop import NAME
from driftloop.spec.base import Spec
from driftloop.stages.stage import Stage
from driftloop.state import Kind


class Condition(Spec):
    """A condition in Kubernetes' own form (meta/v1 Condition)."""

    type: str = Field(max_length=64)
    status: Literal["True", "False", "Unknown"]
    reason: str = Field(max_length=128)
    message: str = Field(default="", max_length=4096)
    last_transition_time: datetime
    observed_generation: int = 0


class Cause(Spec):
    """Why a retraining runs; ``onset``: since when the world has been different."""

    kind: Kind
    onset: datetime | None = None
    evidence: tuple[str, ...] = ()


class Quarantine(Spec):
    """An interval [start, end) whose rows came from a broken upstream."""

    start: datetime
    end: datetime


class RetrainingSpec(Spec):
    """One run of the training pipeline, as it was decided.

    ``cutoff``: nothing known later is used; ``champion``: the version in service then.
    """

    loop: str = Field(pattern=NAME, max_length=40)
    number: int = Field(ge=0)
    cutoff: datetime
    causes: tuple[Cause, ...] = Field(min_length=1, max_length=100)
    onset: datetime | None = None
    champion: str = ""
    quarantine: tuple[Quarantine, ...] = Field(default=(), max_length=200)


class Found(Spec):
    """What sends a loop back from a stage to an earlier one: by which rule, and why."""

    source: Stage = Field(alias="from")
    to: Stage
    rule: str = Field(max_length=64)
    reason: str = Field(max_length=1000)


class StageReturn(Found):
    """A stage sent the loop back; ``retraining``: the one that it is about, if any."""

    time: datetime
    retraining: str = Field(default="", max_length=64)


class RetrainingStatus(Spec):
    """How far it is; ``verdict``: promote, hold, reject or failed, with its ``reasons``.

    ``returned``: what its steps found that sends the loop back.
    """

    phase: Literal["Pending", "Starting", "Running", "Ended"] = "Pending"
    verdict: str = ""
    version: str = ""
    reasons: tuple[str, ...] = ()
    returned: tuple[Found, ...] = Field(default=(), max_length=20)
    run_id: str = ""
    run_url: str = ""
    data_end: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    conditions: tuple[Condition, ...] = Field(default=(), max_length=16)


class LoopEventSpec(Spec):
    """A CloudEvent that was received; its object's name is made of (source, id), so once."""

    loop: str = Field(pattern=NAME, max_length=40)
    event: dict[str, Any]


class LoopEventStatus(Spec):
    """What became of it; ``refused`` says why it led to nothing."""

    taken: bool | None = None
    refused: str = ""


class Decision(Spec):
    """A decision with the reasons it was made for."""

    time: datetime
    trigger: str
    reasons: tuple[str, ...]


class LoopLedger(Spec):
    """The loop's ledger: written as one piece, so a decision is recorded whole or not at all.

    ``generation`` counts records; ``state``: as driftloop.state has it; ``owed``: actions
    decided and not yet done; ``taken``: names of the events that led to a record, newest last.
    """

    generation: int = 0
    sequence: int = 0
    state: dict[str, Any] = Field(default_factory=dict)
    owed: tuple[dict[str, Any], ...] = ()
    taken: tuple[str, ...] = ()


class LoopStatus(Spec):
    """Where the loop stands."""

    observed_generation: int = 0
    stage: str = ""
    champion: str = ""
    candidate: str = ""
    drift: str = ""
    last_retraining: datetime | None = None
    kpi: str = ""
    decisions: tuple[Decision, ...] = Field(default=(), max_length=50)
    returned: tuple[StageReturn, ...] = Field(default=(), max_length=20)
    conditions: tuple[Condition, ...] = Field(default=(), max_length=16)
    ledger: LoopLedger = Field(default_factory=LoopLedger)
