"""Join: rows with what several sources knew at their time, no row multiplied and none lost.

Each row gets, of each source, the newest row of its key that is not later than itself. A source
row at the very instant counts as known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop import instants
from driftloop.instants import Micros
from driftloop_contracts.errors import InvalidInput, RunFailed

WHERE = "a join of sources"


@dataclass(frozen=True, eq=False)
class Timeline:
    """What a source knew of each of its ``keys``, from its column ``time`` on.

    ``within``: the oldest that its row may be (None: of any age).
    """

    name: str
    frame: pd.DataFrame
    keys: tuple[str, ...]
    time: str = "event_time"
    within: timedelta | None = None


@dataclass(frozen=True)
class Step:
    """How one join adds up: found + too_old + without = before = after.

    ``ties``: source rows whose key and time another row has as well; the last of them counts.
    """

    name: str
    before: int
    after: int
    found: int
    too_old: int
    without: int
    ties: int

    @property
    def sentence(self) -> str:
        """Return the counts as a person reads them."""
        return (
            f"{self.name}: {self.before} rows before, {self.after} after; {self.found} found, "
            f"{self.too_old} found too old, {self.without} without; {self.ties} source rows share "
            "their key and time."
        )

    def to_data(self) -> dict[str, Any]:
        """Return the counts as JSON data."""
        return asdict(self)


def as_of(
    rows: pd.DataFrame, sources: Sequence[Timeline], time: str = "event_time"
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Return ``rows`` in their order with every source's columns, and how each join adds up.

    Raise InvalidInput for a missing column, times without their zone, or a column that is there
    already.
    """
    steps = []
    for source in sources:
        before = len(rows)
        rows, step = _joined(rows, source, time)
        if not before == len(rows) == step.found + step.too_old + step.without:
            raise RunFailed(f"A join lost or doubled rows. {step.sentence}")
        steps.append(step)
    return rows, tuple(steps)


def _joined(rows: pd.DataFrame, source: Timeline, time: str) -> tuple[pd.DataFrame, Step]:
    _require(rows, source, time)
    known = source.frame.dropna(subset=[*source.keys, source.time]).reset_index(drop=True)
    place = _places(rows, known, source, time)
    asked = instants.micros(instants.column(rows, time, WHERE))
    there = place >= 0
    age = np.zeros(len(rows), "int64")
    age[there] = asked[there] - _micros(known, source.time)[place[there]]
    old = there & (age > instants.length(source.within)) if source.within else np.zeros_like(there)
    added = [name for name in source.frame if name not in (*source.keys, source.time)]
    values = known[added].take(np.where(there & ~old, place, 0)) if len(known) else known[added]
    values = values.set_axis(rows.index) if len(known) else values.reindex(rows.index)
    joined = rows.assign(**{str(n): values[n].where(there & ~old) for n in added})
    ties = int(known.duplicated([*source.keys, source.time]).sum())
    counts = int((there & ~old).sum()), int(old.sum()), int((~there).sum())
    return joined, Step(source.name, len(rows), len(joined), *counts, ties)


def _places(rows: pd.DataFrame, known: pd.DataFrame, source: Timeline, time: str) -> Micros:
    """Return each row's place in ``known``, -1 for none."""
    codes = _codes(rows, known, source.keys)
    left = pd.DataFrame({"key": codes[: len(rows)], "time": _micros(rows, time)})
    right = pd.DataFrame({"key": codes[len(rows) :], "time": _micros(known, source.time)})
    right["place"] = np.arange(len(right))
    left = left.assign(row=np.arange(len(left))).sort_values("time", kind="stable")
    right = right.sort_values("time", kind="stable")
    found = pd.merge_asof(left, right, on="time", by="key").sort_values("row")
    place: Micros = found["place"].fillna(-1).to_numpy("int64")
    # A row without a whole key belongs to nobody, not to the others without one.
    place[rows[list(source.keys)].isna().any(axis=1).to_numpy()] = -1
    return place


def _codes(rows: pd.DataFrame, known: pd.DataFrame, keys: tuple[str, ...]) -> Micros:
    names = list(keys)
    both = pd.concat([rows[names], known[names]], ignore_index=True)
    return np.asarray(both.groupby(names, dropna=False, sort=False).ngroup(), "int64")


def _micros(frame: pd.DataFrame, name: str) -> Micros:
    return instants.micros(instants.column(frame, name, WHERE))


def _require(rows: pd.DataFrame, source: Timeline, time: str) -> None:
    wanted = [(rows, (*source.keys, time)), (source.frame, (*source.keys, source.time))]
    for frame, names in wanted:
        for name in names:
            if name not in frame:
                raise InvalidInput(f"column '{name}'", WHERE, "present", list(frame.columns))
    if rows[time].isna().any():
        raise InvalidInput(f"column '{time}'", WHERE, "a time in every row", "a missing one")
    both = {*rows.columns} & {*source.frame.columns} - {*source.keys, source.time}
    if both:
        allowed = "columns that the rows do not have"
        raise InvalidInput(f"source {source.name}", WHERE, allowed, sorted(map(str, both)))
