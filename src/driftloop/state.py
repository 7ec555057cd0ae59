"""State: what the controller knows of a loop, one value from decision to decision."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from driftloop.drift.matured import Matured
from driftloop.drift.pool import Pools
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.value import Value

Kind = Literal["initial", "drift", "staleness", "growth", "manual"]


class Cause(Value):
    """Why a retraining should run.

    ``onset``: start of the first window that differed; ``until``: end of the newest evidence;
    ``ready_at``: when enough labelled rows from the onset on exist; ``evidence``: sentences;
    ``rules``: of each piece of evidence of drift which one it is, data_drift or concept_drift.
    """

    kind: Kind
    until: datetime
    ready_at: datetime
    onset: datetime | None = None
    evidence: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


class Obeyed(Value):
    """The newest orders of a person that were obeyed, as spec.orders has them."""

    rollback: str = ""
    approve: str = ""
    resume: str = ""


class Interval(Value):
    """A stretch of event time [start, end)."""

    start: datetime
    end: datetime


class State(Value):
    """A loop between two decisions.

    ``number``: of the newest Retraining; ``running``: the one that runs now (0: none), against
    ``running_champion``; ``waiting``:
    causes that have not opened one; ``started``: when the latest ones began; ``onset``: of the
    change the champion was trained after, with ``fresh`` labelled time since it at that
    training; ``faults``: features whose upstream is broken now; ``unpromoted``: retrainings in
    a row that promoted nothing; ``told``: deferrals already reported; ``pools``: windows of several
    replicas that are not complete; ``matured``, ``slices``: the champion's mature records, of all
    and by slice, not yet enough to be judged; ``moved``: when the champion's inputs shifted;
    ``rollout``: of the bundle that takes over now; ``blocked``: versions that were sent
    back and do not come again; ``held``: what a person may approve; ``again``: of the bundle that
    the gate held and judges once more; ``before``: champions of the
    past, the newest last; ``obeyed``: orders that are done; ``alike``: whether a window of the
    champion was like its reference (None: not known, of one from before that was noted).
    """

    champion: str = ""
    data_end: datetime | None = None
    number: int = 0
    running: int = 0
    running_onset: datetime | None = None
    running_champion: str = ""
    waiting: tuple[Cause, ...] = ()
    started: tuple[datetime, ...] = ()
    onset: datetime | None = None
    fresh: timedelta = timedelta(0)
    faults: tuple[str, ...] = ()
    quarantine: tuple[Interval, ...] = ()
    unpromoted: int = 0
    told: tuple[str, ...] = ()
    pools: Pools = Pools()
    matured: Matured | None = None
    slices: tuple[Matured, ...] = ()
    moved: tuple[Interval, ...] = ()
    rollout: Progress | None = None
    blocked: tuple[str, ...] = ()
    held: Passed | None = None
    again: Progress | None = None
    before: tuple[str, ...] = ()
    obeyed: Obeyed = Obeyed()
    alike: bool | None = None
