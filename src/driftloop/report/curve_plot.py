"""Curve plot: runs by their size on a logarithmic axis, with the fitted curve and its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from driftloop.evaluation.difference import Interval
from driftloop.report import svg
from driftloop.report.axis import Scale, ticks

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520.0, 260.0, 64.0, 14.0, 26.0, 40.0
POINTS = 40


def draw(
    title: str,
    runs: Sequence[tuple[float, float]],
    curve: Callable[[float], Interval],
    reach: float,
    level: tuple[float, str] | None = None,
) -> str:
    """Return the plot of ``runs`` (rows, value) and of ``curve`` as far as ``reach`` rows.

    ``level``: a value to mark with its name, such as a target.
    """
    first = min(rows for rows, _ in runs)
    sizes = [first * (reach / first) ** (i / (POINTS - 1)) for i in range(POINTS)]
    bands = [curve(size) for size in sizes]
    x = Scale(math.log10(first), math.log10(reach), LEFT, WIDTH - RIGHT)
    y = _scale(runs, bands, level)
    parts = [svg.text(2, 12, title, "head"), *_grid(x, y, first, reach)]
    for name in ("low", "high"):
        edge = [(x(math.log10(n)), y(getattr(b, name))) for n, b in zip(sizes, bands, strict=True)]
        parts.append(svg.line(edge, "smooth edge"))
    middle = [(x(math.log10(n)), y(b.estimate)) for n, b in zip(sizes, bands, strict=True)]
    parts.append(svg.line(middle, "smooth"))
    parts += [
        svg.dot(x(math.log10(n)), y(v), 3.5, "raw", f"{n:,.0f} rows: {v:.5g}") for n, v in runs
    ]
    if level:
        parts.append(svg.segment(LEFT, y(level[0]), WIDTH - RIGHT, y(level[0]), "guide held"))
        parts.append(svg.text(WIDTH - RIGHT, y(level[0]) - 4, level[1], "halo", "end"))
    return svg.figure(parts, WIDTH, HEIGHT, title)


def _scale(
    runs: Sequence[tuple[float, float]],
    bands: Sequence[Interval],
    level: tuple[float, str] | None,
) -> Scale:
    """Return the axis of values: all runs and the curve, and as much of its interval as tells."""
    shown = [v for _, v in runs] + [b.estimate for b in bands] + ([level[0]] if level else [])
    low, high = min(shown), max(shown)
    room = (high - low) or abs(high) or 1.0
    edges = [e for b in bands for e in (b.low, b.high) if math.isfinite(e)]
    low, high = max(min([low, *edges]), low - room), min(max([high, *edges]), high + room)
    return Scale(low, high, HEIGHT - BOTTOM, TOP)


def _grid(x: Scale, y: Scale, first: float, reach: float) -> list[str]:
    parts = []
    for value, label in ticks(y.low, y.high):
        parts.append(svg.segment(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"))
        parts.append(svg.text(LEFT - 6, y(value) + 4, label, anchor="end"))
    for power in range(math.ceil(math.log10(first)), math.floor(math.log10(reach)) + 1):
        parts.append(svg.segment(x(power), TOP, x(power), HEIGHT - BOTTOM, "grid"))
        parts.append(svg.text(x(power), HEIGHT - BOTTOM + 16, f"{10**power:,}", anchor="middle"))
    parts.append(svg.text((LEFT + WIDTH) / 2, HEIGHT - 6, "labelled rows", anchor="middle"))
    return parts
