"""KPI plot: cohorts and their running mean over the models that served them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, median

from driftloop.report import frame as frames
from driftloop.report import svg, wording
from driftloop.report.axis import Scale, TimeAxis, ticks
from driftloop.report.frame import Frame, Mark
from driftloop.report.record import Attempt, Cohort, Run, Version

SMOOTHING = 7
"""Cohorts in the running mean: its ends are left out, so that one odd cohort moves it little."""
GAP = 5.0
"""A pause of so many times the usual one interrupts the line."""
STRIP, TOP, HEIGHT, LANE = 20.0, 44.0, 236.0, 20.0


def draw(run: Run, frame: Frame, name: str) -> str:
    """Return the plot, or '' when no cohort has a KPI; ``name`` is the KPI's with its unit."""
    if not run.cohorts:
        return ""
    axis, bottom = frame.axis(run), TOP + HEIGHT
    low, high = extent([cohort.value for cohort in run.cohorts])
    y = Scale(low, high, bottom - 6, TOP + 6)
    rows = [(title, marks) for title, marks in lanes(run) if marks]
    below = bottom + LANE * len(rows)
    parts = [svg.text(2 if frame.slim else frame.left, 12, name, "head")]
    parts += [*_models(run.versions, axis, bottom), *_broken(run, axis, bottom)]
    # Dates stand below the lanes, so that no guide crosses them.
    parts += frames.grid(axis, TOP, below)
    for value, label in ticks(low, high):
        parts.append(svg.segment(axis.start, y(value), axis.end, y(value), "grid"))
        parts.append(svg.text(axis.start - 6, y(value) + 4, label, anchor="end"))
    parts += [_point(cohort, axis, y, frame) for cohort in run.cohorts]
    parts += [svg.line(piece, "smooth") for piece in _line(run.cohorts, axis, y)]
    parts += _end(run, axis, y, frame)
    for index, (title, marks) in enumerate(rows):
        parts += _lane(title, marks, axis, bottom + LANE * (index + 0.6), frame)
    return svg.figure(parts, frame.width, below + 26, f"{name} over time")


def beyond(run: Run) -> bool:
    """Return whether a cohort lies outside the axis and is drawn hollow at its edge."""
    values = [cohort.value for cohort in run.cohorts]
    low, high = extent(values) if values else (0.0, 0.0)
    return any(not low <= value <= high for value in values)


def extent(values: Sequence[float]) -> tuple[float, float]:
    """Return the axis: the middle 98 % with a margin, so that one odd cohort hides nothing.

    >>> extent([1.0, 1.0])
    (0.9, 1.1)
    """
    ordered = sorted(values)
    cut = len(ordered) // 100
    low, high = ordered[cut], ordered[-1 - cut]
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 0.1
    return low - margin, high + margin


def smooth(values: Sequence[float]) -> list[float]:
    """Return each value's mean with its neighbours, less the highest and the lowest of them.

    >>> smooth([1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0])[3]
    1.0
    """
    half = SMOOTHING // 2
    near = (sorted(values[max(0, i - half) : i + half + 1]) for i in range(len(values)))
    return [fmean(part[1:-1] if len(part) > half else part) for part in near]


def lanes(run: Run) -> list[tuple[str, list[Mark]]]:
    """Return what happened beside promotions: retrainings not promoted, and data faults."""
    missed = [_missed(a) for a in run.attempts if a.missed]
    faults = [
        Mark(f.time, "fault", ", ".join(f.features), f"{wording.day(f.time)}: {f.text}")
        for f in run.faults
    ]
    return [("not promoted", missed), ("data faults", faults)]


def _missed(attempt: Attempt) -> Mark:
    verdict = wording.verdict(attempt.verdict)
    why = " ".join(attempt.reasons)
    title = f"{attempt.name}, {wording.day(attempt.time)}: {verdict}. {why}"
    return Mark(attempt.time, attempt.mark, verdict, title)


def _lane(title: str, marks: list[Mark], axis: TimeAxis, y: float, frame: Frame) -> list[str]:
    name = "" if frame.slim else svg.text(axis.start - 10, y + 4, title, anchor="end")
    guides = [svg.segment(axis(m.time), TOP, axis(m.time), y, f"guide {m.kind}") for m in marks]
    return [name, *guides, *frames.lane(marks, axis, y)]


def _models(versions: Sequence[Version], axis: TimeAxis, bottom: float) -> Iterator[str]:
    """Yield a shaded band per model, with its name in a strip above the plot."""
    for index, version in enumerate(versions):
        x, size = axis(version.start), axis(version.end) - axis(version.start)
        title = f"{version.name}: {wording.span(version.start, version.end)}"
        shade = f"model-{index % 2}"
        yield svg.rectangle(x, TOP, (size, bottom - TOP), f"band {shade}")
        yield svg.rectangle(x, STRIP, (size, 18), f"strip {shade}", title)
        yield svg.segment(x, STRIP, x, bottom, "promotion")
        yield svg.text(x + 5, STRIP + 13, _name(version.name, size - 8), "strip-name")


def _name(version: str, room: float) -> str:
    """Return as much of ``0002-8e487e21`` as has room: all, ``0002``, ``2`` or nothing."""
    number = version.partition("-")[0]
    names = (version, number, number.lstrip("0"))
    return next((name for name in names if wording.width(name) <= room), "")


def _broken(run: Run, axis: TimeAxis, bottom: float) -> Iterator[str]:
    """Yield a tint over the windows in which a feature was broken."""
    for start, end in sorted({(r.start, r.end) for r in run.readings if r.fault}):
        yield svg.rectangle(axis(start), TOP, (axis(end) - axis(start), bottom - TOP), "broken")


def _point(cohort: Cohort, axis: TimeAxis, y: Scale, frame: Frame) -> str:
    outside = not y.low <= cohort.value <= y.high
    style, radius = "raw outside" if outside else "raw", 1.8 if frame.slim else 2.6
    if frame.slim:
        return svg.dot(axis(cohort.middle), y(cohort.value), radius, style)
    beyond = "; beyond the axis" if outside else ""
    title = (
        f"{wording.span(cohort.start, cohort.end)}: {wording.short(cohort.value, 4)} on "
        f"{wording.number(cohort.impressions)} impressions{beyond}"
    )
    return svg.dot(axis(cohort.middle), y(cohort.value), radius, style, title)


def _line(
    cohorts: Sequence[Cohort], axis: TimeAxis, y: Scale
) -> Iterator[list[tuple[float, float]]]:
    """Yield the running mean's pieces, cut where cohorts are missing."""
    middles = [cohort.middle for cohort in cohorts]
    pauses = [(b - a).total_seconds() for a, b in zip(middles, middles[1:], strict=False)]
    usual = median(pauses) if pauses else 0.0
    values = smooth([cohort.value for cohort in cohorts])
    piece: list[tuple[float, float]] = []
    for time, value, pause in zip(middles, values, [0.0, *pauses], strict=True):
        if piece and pause > GAP * usual:
            yield piece
            piece = []
        piece.append((axis(time), y(value)))
    yield piece


def _end(run: Run, axis: TimeAxis, y: Scale, frame: Frame) -> list[str]:
    """Return the line's last value beside its end."""
    if frame.slim:
        return []
    x, value = axis(run.cohorts[-1].middle), smooth([cohort.value for cohort in run.cohorts])[-1]
    return [
        svg.text(x + 8, y(value) + 1, wording.short(value), "smooth-name"),
        svg.text(x + 8, y(value) + 15, f"mean of {SMOOTHING}"),
    ]
