"""Event: what happened to a loop, as decisions take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from driftloop.drift import wording
from driftloop.drift.matured import Matured
from driftloop.drift.pool import Cell, Judgement
from driftloop.rollout.arm import Arm
from driftloop.rollout.outcomes import Beside
from driftloop.stages.returned import Returned
from driftloop_contracts.drift.finding import JOINT_NAME, PREDICTION_NAME


@dataclass(frozen=True)
class Started:
    """The loop has no model, and enough history for a first one; said twice it is one wish."""


@dataclass(frozen=True)
class Ticked:
    """Time passed; nothing else happened."""


@dataclass(frozen=True)
class WindowJudged:
    """A sidecar compared one window with its bundle's reference.

    ``shifts`` and ``faults`` map a feature to a sentence's worth of evidence.
    """

    bundle: str
    start: datetime
    end: datetime
    shifts: dict[str, str]
    faults: dict[str, str]

    @classmethod
    def of(cls, found: Judgement) -> WindowJudged:
        """Return the judgement on a window of the whole loop, strongest shift first."""
        strongest = sorted(found.findings, key=lambda f: -f.strength)
        shifts = {f.name: wording.shift(f.to_data()) for f in strongest if f.shift}
        faults = {f.name: wording.fault(f.to_data()) for f in found.findings if f.fault}
        # A classifier tells a broken feature apart first of all, and a broken feature is no drift.
        if found.joint and found.is_joint and not faults.keys() - {PREDICTION_NAME}:
            shifts |= {JOINT_NAME: wording.joint(found.joint.effect, found.joint.threshold)}
        return cls(found.window.bundle, found.window.start, found.window.end, shifts, faults)


@dataclass(frozen=True)
class RetrainingEnded:
    """A pipeline run ended: ``verdict`` promote, hold, reject or failed.

    ``predicted``: the candidate's mean prediction over the champion's (None: not known);
    ``reasons``: the gate's; ``returned``: what the pipeline's steps found to send the loop back;
    ``cause``: what the gate judged by; ``needed``: later rows that tell what it held (0: none do).
    """

    number: int
    verdict: str
    version: str = ""
    data_end: datetime | None = None
    predicted: float | None = None
    reasons: tuple[str, ...] = ()
    returned: tuple[Returned, ...] = ()
    cause: str = ""
    needed: int = 0


@dataclass(frozen=True)
class CellScored:
    """One of a loop's sidecars counted one cell; several together are judged as the loop's."""

    cell: Cell


@dataclass(frozen=True)
class CohortMatured:
    """The outcomes of some records are decided.

    ``part``: the champion's, where they are followed, and its ``slices``; ``beside``: of two
    bundles side by side.
    """

    part: Matured | None = None
    beside: Beside | None = None
    slices: tuple[Matured, ...] = ()


@dataclass(frozen=True)
class RolloutObserved:
    """The counters of each process, since its start, of a bundle on its way and the stable one."""

    version: str
    candidate: Mapping[str, Arm]
    stable: Mapping[str, Arm]


@dataclass(frozen=True)
class ShadowJudged:
    """The gate judged a bundle that nobody sees; ``needed``: rows that it takes to judge again.

    ``step``: how often it was judged before (None: as often as is known); ``predicted``: its mean
    prediction over the champion's on these rows.
    """

    version: str
    verdict: str
    reasons: tuple[str, ...]
    needed: int = 0
    step: int | None = None
    predicted: float = 1.0


@dataclass(frozen=True)
class StageReturned:
    """A stage outside the controller, such as the business review, sends the loop back."""

    returned: Returned


Event = (
    Started
    | Ticked
    | WindowJudged
    | CellScored
    | CohortMatured
    | RetrainingEnded
    | RolloutObserved
    | ShadowJudged
    | StageReturned
)
