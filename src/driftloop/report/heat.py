"""Heat: windows of a feature as coloured cells, merged in time where they are too many."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from driftloop.report import wording
from driftloop.report.record import Reading

BOUNDS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
"""Effect / threshold where the colour changes; blue below 1, orange from 1 on."""


@dataclass(frozen=True)
class Cell:
    """Windows of one feature [start, end); ``worst`` is the one that says most."""

    start: datetime
    end: datetime
    windows: int
    worst: Reading
    shift: bool
    fault: bool

    @property
    def style(self) -> str:
        """Return the cell's class: heat-0 to heat-7, or fault."""
        return "fault" if self.fault else f"heat-{bisect_right(BOUNDS, self.worst.ratio)}"

    @property
    def title(self) -> str:
        """Return the exact numbers in a sentence."""
        many = f"worst of {self.windows} windows: " if self.windows > 1 else ""
        return many + _sentence(self.worst)


def cells(readings: Sequence[Reading], limit: int) -> dict[str, list[Cell]]:
    """Return each feature's cells in time order, at most ``limit`` of them, features as met."""
    starts = sorted({reading.start for reading in readings})
    merged = max(1, math.ceil(len(starts) / limit))
    column = {start: index // merged for index, start in enumerate(starts)}
    groups: dict[str, dict[int, list[Reading]]] = {}
    for reading in readings:
        feature = groups.setdefault(reading.name, {})
        feature.setdefault(column[reading.start], []).append(reading)
    return {
        name: [_cell(feature[index]) for index in sorted(feature)]
        for name, feature in groups.items()
    }


def runs(row: Sequence[Cell]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches over which neighbouring cells fired, to be outlined as one."""
    start: datetime | None = None
    end: datetime | None = None
    for cell in row:
        if not (cell.shift or cell.fault):
            continue
        if start is not None and end is not None and cell.start > end:
            yield start, end
            start = None
        start, end = start or cell.start, cell.end
    if start is not None and end is not None:
        yield start, end


def _cell(group: list[Reading]) -> Cell:
    return Cell(
        start=min(reading.start for reading in group),
        end=max(reading.end for reading in group),
        windows=len(group),
        worst=max(group, key=lambda r: (bool(r.fault), r.shift, r.ratio)),
        shift=any(reading.shift for reading in group),
        fault=any(reading.fault for reading in group),
    )


def _sentence(reading: Reading) -> str:
    says = "fired" if reading.shift else "quiet"
    if reading.fault:
        says = f"fault: {wording.FAULTS.get(reading.fault, reading.fault)}"
    return (
        f"{reading.name}, {wording.span(reading.start, reading.end)}: {says}; effect "
        f"{wording.short(reading.effect)} / threshold {wording.short(reading.threshold)} = "
        f"{reading.ratio:.2f}; p = {wording.short(reading.p_value)}, n = {reading.n:,}, "
        f"missing {reading.missing:,}; model {reading.bundle}"
    )
