"""Pool: the windows of several replicas of a predictor as one window of the loop. Pure.

Each replica's sidecar sends what it counted in each cell of the event-time grid. Counts add up,
so the loop is judged on all rows whatever their number of pods: the budget of false alarms holds
for the loop, and its power does not fall with the replica count. A cell waits GRACE from its
first arrival for the other replicas; what comes later still counts, in the next window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Pool(Value):
    """The cells that wait for replicas, and the window that grows from those that do not.

    ``learned``: what to expect of ``bundle``'s predictions (driftloop_contracts/drift/learned.py).
    """

    waiting: tuple[Cell, ...] = ()
    growing: Cell | None = None
    bundle: str = ""
    learned: dict[str, Any] | None = None

    def put(self, part: Cell) -> Pool:
        """Return the pool with one replica's part of a cell; another bundle starts anew."""
        own = tuple(cell for cell in self.waiting if cell.bundle == part.bundle)
        known = next((c for c in own if (c.start, c.end) == (part.start, part.end)), None)
        others = tuple(cell for cell in own if cell is not known)
        cell = known.with_part(part) if known else part
        growing = self.growing if self.growing and self.growing.bundle == part.bundle else None
        known_so_far = self.learned if self.bundle == part.bundle else None
        return Pool(
            waiting=(*others, cell), growing=growing, bundle=part.bundle, learned=known_so_far
        )

    def ripe(self, drift: Drift, now: datetime) -> tuple[Pool, tuple[Cell, ...]]:
        """Return the pool without the windows that are complete at ``now``, and these."""
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

    def taught(
        self, window: Cell, findings: Sequence[Finding], joint: Joint | None, level: float
    ) -> Pool:
        """Return the pool with what a window teaches of its bundle's predictions."""
        is_joint = joint is not None and shifted(joint, level)
        times = int(window.start.timestamp()), int(window.end.timestamp())
        known = learned.from_data(self.learned)
        after = known.after(_served(window), *times, findings, is_joint)
        return self if after == known else self.model_copy(update={"learned": after.to_data()})


def judge(
    window: Cell, drift: Drift, known: Mapping[str, Any] | None = None
) -> tuple[list[Finding], Joint | None, float]:
    """Return the findings on a window of the loop, its joint test if any, and the level.

    ``known``: what the pool has learnt of the predictions.
    """
    features, answers = [observed.from_data(one) for one in window.features], _served(window)
    seconds = (window.end - window.start).total_seconds()
    rules = [one.rule for one in features] + ([answers.rule] if answers else [])
    alpha = level.of_window(drift.false_alarms.per_second, seconds, rules)
    usual = learned.from_data(known)
    findings = learned.judge(features, answers, usual, alpha, drift.window.rows)
    return findings, combined(window.joint), alpha


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
