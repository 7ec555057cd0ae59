"""Pool: the windows of several replicas of a predictor as one window of the loop. Pure.

Each replica's sidecar sends what it counted in each cell of the event-time grid. Counts add up,
so the loop is judged on all rows whatever their number of pods: the budget of false alarms holds
for the loop, and its power does not fall with the replica count. A cell waits GRACE from its
first arrival for the other replicas; what comes later still counts, in the next window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from scipy import special

from driftloop.loop import Drift
from driftloop.value import Value
from driftloop_contracts.drift import evidence, learned, level, observed, served
from driftloop_contracts.drift.finding import Finding
from driftloop_contracts.drift.served import Served

GRACE = timedelta(seconds=15)
"""How long a cell waits for further replicas."""


class Joint(Value):
    """One replica's classifier test: ``z`` one-sided, on so many ``rows``; ``effect``: Gini."""

    z: float
    rows: float
    effect: float
    threshold: float


class Cell(Value):
    """What is known of one stretch of event time: of each feature the event's JSON data.

    ``since``: when its first part arrived; ``served``: the predictions, None where a part has none.
    """

    bundle: str
    start: datetime
    end: datetime
    since: datetime
    rows: int
    features: tuple[dict[str, Any], ...]
    joint: tuple[Joint, ...] = ()
    served: dict[str, Any] | None = None

    def with_part(self, other: Cell) -> Cell:
        """Return both as one."""
        pairs = zip(self.features, other.features, strict=True)
        added = tuple(_sum(first, second) for first, second in pairs)
        return self.model_copy(
            update={
                "start": min(self.start, other.start),
                "end": max(self.end, other.end),
                "since": min(self.since, other.since),
                "rows": self.rows + other.rows,
                "features": added,
                "joint": self.joint + other.joint,
                "served": _both(self.served, other.served),
            }
        )


@dataclass(frozen=True)
class Judgement:
    """What a window of the loop shows: findings, its joint test if any, and the level."""

    window: Cell
    findings: list[Finding]
    joint: Joint | None
    level: float

    @property
    def is_joint(self) -> bool:
        """Return whether the features together changed."""
        return self.joint is not None and shifted(self.joint, self.level)


class Pool(Value):
    """The cells of one bundle that wait for replicas, and the window that grows from the others.

    ``learned``: what to expect of the bundle's predictions (driftloop_contracts/drift/learned.py).
    """

    bundle: str
    waiting: tuple[Cell, ...] = ()
    growing: Cell | None = None
    learned: dict[str, Any] | None = None

    def put(self, part: Cell) -> Pool:
        """Return the pool with one replica's part of a cell."""
        span = part.start, part.end
        known = next((c for c in self.waiting if (c.start, c.end) == span), None)
        others = tuple(cell for cell in self.waiting if cell is not known)
        cell = known.with_part(part) if known else part
        return self.model_copy(update={"waiting": (*others, cell)})

    def judged(self, drift: Drift, now: datetime) -> tuple[Pool, tuple[Judgement, ...]]:
        """Return the pool without the windows that are complete at ``now``, and what they show."""
        pool, windows = self._ripe(drift, now)
        found = []
        for window in windows:
            found.append(judge(window, drift, pool.learned))
            pool = pool._taught(found[-1])
        return pool, tuple(found)

    def _ripe(self, drift: Drift, now: datetime) -> tuple[Pool, tuple[Cell, ...]]:
        due = sorted((c for c in self.waiting if c.since + GRACE <= now), key=lambda c: c.start)
        windows, growing = [], self.growing
        for cell in due:
            growing = growing.with_part(cell) if growing else cell
            long = growing.end - growing.start >= drift.window.max_duration
            if growing.rows >= drift.window.rows or long:
                windows.append(growing)
                growing = None
        left = tuple(cell for cell in self.waiting if cell not in due)
        return self.model_copy(update={"waiting": left, "growing": growing}), tuple(windows)

    def _taught(self, found: Judgement) -> Pool:
        """Return the pool with what a window teaches of its bundle's predictions."""
        window, known = found.window, learned.from_data(self.learned)
        times = int(window.start.timestamp()), int(window.end.timestamp())
        after = known.after(_served(window), *times, found.findings, found.is_joint)
        return self if after == known else self.model_copy(update={"learned": after.to_data()})


class Pools(Value):
    """A pool for the champion, and one for the bundle beside it that was heard of last.

    So a canary and the stable bundle are each compared with their own reference.
    """

    pools: tuple[Pool, ...] = ()

    def put(self, part: Cell, champion: str) -> Pools:
        """Return the pools with one replica's part of a cell."""
        own = next((p for p in self.pools if p.bundle == part.bundle), Pool(bundle=part.bundle))
        others = [p for p in self.pools if p.bundle != part.bundle]
        if part.bundle != champion:
            others = [pool for pool in others if pool.bundle == champion]
        return Pools(pools=(*others[-1:], own.put(part)))

    def judged(self, drift: Drift, now: datetime) -> tuple[Pools, tuple[Judgement, ...]]:
        """Return the pools without the windows complete at ``now``, and what these show."""
        found = [pool.judged(drift, now) for pool in self.pools]
        every = tuple(one for _, windows in found for one in windows)
        return Pools(pools=tuple(pool for pool, _ in found)), every


def judge(window: Cell, drift: Drift, known: Mapping[str, Any] | None = None) -> Judgement:
    """Return what a window shows; ``known``: what its pool has learnt of the predictions."""
    features, answers = [observed.from_data(one) for one in window.features], _served(window)
    seconds = (window.end - window.start).total_seconds()
    rules = [one.rule for one in features] + ([answers.rule] if answers else [])
    alpha = level.of_window(drift.false_alarms.per_second, seconds, rules)
    usual = learned.from_data(known)
    findings = learned.judge(features, answers, usual, alpha, drift.window.rows)
    return Judgement(window, findings, combined(window.joint), alpha)


def combined(parts: Sequence[Joint]) -> Joint | None:
    """Return the replicas' joint tests as one, weighted by the root of their rows (Stouffer)."""
    rows = np.array([part.rows for part in parts])
    if not rows.sum():
        return None
    p = evidence.combined([part.z for part in parts], np.sqrt(rows).tolist())
    effect = float(rows @ [part.effect for part in parts] / rows.sum())
    z = float(-special.ndtri(max(p, 1e-300)))
    return Joint(z=z, rows=float(rows.sum()), effect=effect, threshold=parts[0].threshold)


def shifted(joint: Joint, level: float) -> bool:
    """Return whether the features together changed, by the rule of single features."""
    return float(special.ndtr(-joint.z)) < level and joint.effect >= joint.threshold


def _sum(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return (observed.from_data(first) + observed.from_data(second)).to_data()


def _served(window: Cell) -> Served | None:
    return served.from_data(window.served) if window.served else None


def _both(first: object, second: object) -> dict[str, Any] | None:
    if not first or not second:
        return None
    return (served.from_data(first) + served.from_data(second)).to_data()
