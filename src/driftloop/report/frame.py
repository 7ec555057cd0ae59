"""Frame: the paper a plot is drawn on. Each plot is drawn twice, wide and for a narrow screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from driftloop.report import svg, wording
from driftloop.report.axis import TimeAxis
from driftloop.report.record import Run

GAP = 10.0
"""Pixels from a mark to its label, and from a label to the next mark."""


@dataclass(frozen=True)
class Frame:
    """Width and side margins in pixels; ``slim`` puts names above rows instead of beside."""

    width: float
    left: float
    right: float
    slim: bool = False

    @property
    def edge(self) -> float:
        """Return the pixel where the plot area ends on the right."""
        return self.width - self.right

    def axis(self, run: Run) -> TimeAxis:
        """Return the run's time axis between the margins."""
        return TimeAxis(run.first, run.last, self.left, self.edge)


WIDE = Frame(1040.0, 150.0, 76.0)
SLIM = Frame(368.0, 38.0, 14.0, slim=True)
SLIM_FULL = Frame(368.0, 4.0, 4.0, slim=True)


@dataclass(frozen=True)
class Mark:
    """Something at an instant: its glyph, a few words beside it, a sentence on pointing."""

    time: datetime
    kind: str
    label: str
    title: str


def grid(axis: TimeAxis, top: float, bottom: float) -> list[str]:
    """Return a line for each date and its label below, where that reaches no other label."""
    parts, taken = [], -GAP
    for time, label in axis.dates():
        x, size = axis(time), wording.width(label)
        left = max(x - size / 2, min(axis.start - 30, x), 0.0)
        left = min(left, axis.end + 14 - size)
        parts.append(svg.segment(x, top, x, bottom + 4, "grid"))
        if left >= taken + GAP / 2:
            parts.append(svg.text(left + size / 2, bottom + 17, label, anchor="middle"))
            taken = left + size
    return parts


def lane(marks: Sequence[Mark], axis: TimeAxis, y: float) -> list[str]:
    """Return marks along one height, each labelled as far as its words reach no neighbour."""
    ordered = sorted(marks, key=lambda mark: mark.time)
    places = [axis(mark.time) for mark in ordered]
    nexts = [*(place - GAP for place in places[1:]), axis.end + GAP]
    parts, taken = [], axis.start
    for mark, x, end in zip(ordered, places, nexts, strict=True):
        parts.append(svg.glyph(x, y, mark.kind, mark.title))
        after, before = end - x - GAP, x - GAP - taken
        whole = wording.width(mark.label)
        if before >= whole > after:
            parts.append(svg.text(x - GAP, y + 4, mark.label, anchor="end"))
            taken = x + GAP
        else:
            label = wording.clipped(mark.label, after)
            parts.append(svg.text(x + GAP, y + 4, label))
            taken = x + 2 * GAP + wording.width(label)
    return parts
