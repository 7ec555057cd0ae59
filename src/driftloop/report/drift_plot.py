"""Drift plot: a row per feature, a cell per window, coloured by effect / threshold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from driftloop.report import frame as frames
from driftloop.report import heat, svg, wording
from driftloop.report.axis import TimeAxis
from driftloop.report.frame import Frame, Mark
from driftloop.report.heat import Cell
from driftloop.report.record import Run

COLUMNS = {False: 400, True: 90}
"""Most cells of a row, wide and slim: below about two pixels a cell cannot be seen."""
CELL = 18.0


def draw(run: Run, frame: Frame) -> str:
    """Return the plot, or '' when no window was scored."""
    rows = heat.cells(run.readings, COLUMNS[frame.slim])
    if not rows:
        return ""
    axis, step = frame.axis(run), 36.0 if frame.slim else 24.0
    marks = [(name, found) for name, found in _lanes(run) if found]
    top = 20.0 * len(marks) + (0.0 if frame.slim else 6.0)
    bottom = top + step * len(rows)
    parts: list[str] = []
    for index, (name, found) in enumerate(marks):
        parts += _lane(name, found, axis, 10 + 20.0 * index, bottom, frame)
    for index, (name, row) in enumerate(rows.items()):
        parts += _row(name, row, axis, top + step * (index + 1) - CELL - 2, frame)
    # Dates come last, so that their lines stay visible over dark cells.
    parts += frames.grid(axis, bottom, bottom)
    return svg.figure(parts, frame.width, bottom + 26, "Drift per feature over time")


def _lanes(run: Run) -> list[tuple[str, list[Mark]]]:
    scheduled = [
        Mark(c.start, "change", c.name, f"{wording.day(c.start)}: {c.name} ({c.kind}) begins")
        for c in run.changes
    ]
    faults = [
        Mark(f.time, "fault", ", ".join(f.features), f"{wording.day(f.time)}: {f.text}")
        for f in run.faults
    ]
    return [("scheduled", scheduled), ("data faults told", faults)]


def _lane(
    name: str, marks: list[Mark], axis: TimeAxis, y: float, bottom: float, frame: Frame
) -> Iterator[str]:
    if not frame.slim:
        yield svg.text(axis.start - 10, y + 4, name, anchor="end")
    for mark in marks:
        yield svg.segment(axis(mark.time), y, axis(mark.time), bottom, f"guide {mark.kind}")
    yield from frames.lane(marks, axis, y)


def _row(name: str, row: Sequence[Cell], axis: TimeAxis, y: float, frame: Frame) -> Iterator[str]:
    """Yield a feature's name, its cells, an outline about those that fired, and its maximum."""
    yield from _names(name, row, axis, y, frame)
    yield svg.rectangle(axis.start, y, (axis.end - axis.start, CELL), "void")
    for cell in row:
        x, end = axis(cell.start), axis(cell.end)
        title = "" if frame.slim else cell.title
        # A little wider than its window: rounding must leave no seam between neighbours.
        yield svg.rectangle(x, y, (end - x + 0.3, CELL), f"cell {cell.style}", title)
    for start, stop in heat.runs(row):
        x, end = axis(start), axis(stop)
        yield svg.rectangle(x - 0.5, y - 0.5, (end - x + 1, CELL + 1), "fired")


def _names(name: str, row: Sequence[Cell], axis: TimeAxis, y: float, frame: Frame) -> Iterator[str]:
    most = f"max {max(cell.worst.ratio for cell in row):.1f}"
    if frame.slim:
        yield svg.text(axis.start, y - 4, wording.clipped(name, 240), "name")
        yield svg.text(axis.end, y - 4, most, anchor="end")
    else:
        yield svg.text(axis.start - 10, y + 13, wording.clipped(name, 138), "name", "end")
        yield svg.text(axis.end + 10, y + 13, most)
