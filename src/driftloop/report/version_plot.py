"""Version plot: a bar per model from its promotion to the next, with why it was trained."""

from __future__ import annotations

from collections.abc import Iterator

from driftloop.report import frame as frames
from driftloop.report import svg, wording
from driftloop.report.axis import TimeAxis
from driftloop.report.frame import Frame
from driftloop.report.record import Attempt, Run, Version

KINDS = ("initial", "drift", "staleness", "growth", "manual")
BAR = 14.0


def draw(run: Run, frame: Frame) -> str:
    """Return the plot, or '' when nothing was promoted."""
    if not run.versions:
        return ""
    axis, step = frame.axis(run), 34.0 if frame.slim else 22.0
    bottom = 4 + step * len(run.versions)
    parts = frames.grid(axis, 4, bottom)
    for index, version in enumerate(run.versions):
        y = 4 + step * (index + 1) - BAR - 4
        parts += _bar(version, axis, y, frame)
        parts += _missed(run, version, axis, y + BAR / 2)
    return svg.figure(parts, frame.width, bottom + 26, "Model versions over time")


def main_kind(attempt: Attempt | None) -> str:
    """Return the cause that gives the bar its colour: the first one that is known."""
    kinds = attempt.kinds if attempt else ()
    return next((kind for kind in kinds if kind in KINDS), "manual")


def _bar(version: Version, axis: TimeAxis, y: float, frame: Frame) -> Iterator[str]:
    x, end = axis(version.start), axis(version.end)
    title = f"{version.name}, {wording.span(version.start, version.end)}. {_why(version)}"
    yield svg.rectangle(x, y, (end - x - 1, BAR), f"bar {main_kind(version.attempt)}", title)
    if frame.slim:
        kinds = ", ".join(version.attempt.kinds) if version.attempt else ""
        yield svg.text(axis.start, y - 4, wording.clipped(version.name, 180), "name")
        yield svg.text(axis.end, y - 4, kinds, anchor="end")
        return
    yield svg.text(axis.start - 10, y + 11, wording.clipped(version.name, 138), "name", "end")
    yield _beside(_why(version), x, end, axis, y + 11)


def _beside(why: str, x: float, end: float, axis: TimeAxis, y: float) -> str:
    """Return the cause on the side of the bar with more room, or in it where it fills the row."""
    before, after = x - axis.start - 12, axis.end - end - 12
    if max(before, after) < 90:
        return svg.text(x + 6, y, wording.clipped(why, end - x - 12), "inside")
    if after >= min(before, wording.width(why)):
        return svg.text(end + 6, y, wording.clipped(why, after), "halo")
    return svg.text(x - 6, y, wording.clipped(why, before), "halo", "end")


def _why(version: Version) -> str:
    attempt = version.attempt
    if attempt is None:
        return ""
    first = f": {attempt.evidence[0]}" if attempt.evidence else ""
    more = f" (+{len(attempt.evidence) - 1} more)" if len(attempt.evidence) > 1 else ""
    return f"{', '.join(attempt.kinds)}{first}{more}"


def _missed(run: Run, version: Version, axis: TimeAxis, y: float) -> Iterator[str]:
    """Yield a mark on the bar for each retraining that left this version in service."""
    for attempt in run.attempts:
        if attempt.missed and version.start <= attempt.time < version.end:
            verdict = wording.verdict(attempt.verdict)
            title = f"{attempt.name}, {wording.day(attempt.time)}: {verdict}"
            yield f'<g class="on-bar">{svg.glyph(axis(attempt.time), y, attempt.mark, title)}</g>'
