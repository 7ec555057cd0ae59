"""SVG: the few shapes the plots need, and a scale of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape


@dataclass(frozen=True)
class Scale:
    """Maps [low, high] to pixels [start, end]; ``end`` below ``start`` turns the axis round."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of ``value``.

        >>> Scale(0, 10, 0, 100)(5)
        50.0
        """
        span = (self.high - self.low) or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return round numbers within [low, high], about ``count`` of them.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = (high - low) or 1.0
    raw = span / max(1, count)
    unit = 10.0 ** (len(str(int(1 / raw))) * -1) if raw < 1 else 10.0 ** (len(str(int(raw))) - 1)
    step = next(unit * m for m in (1, 2, 5, 10, 20, 50, 100) if unit * m >= raw * 0.999)
    first = -(-low // step)
    values = [round((first + i) * step, 10) for i in range(int(span / step) + 2)]
    return [value for value in values if low <= value <= high + step * 1e-9]


def days(first: datetime, last: datetime) -> list[tuple[datetime, str]]:
    """Return dates to label a time axis with: days, mondays or months, by the span."""
    span = (last - first).days + 1
    midnights = [
        first.replace(hour=0, minute=0, second=0) + timedelta(days=i) for i in range(span + 1)
    ]
    if span > 120:
        chosen, form = [day for day in midnights if day.day == 1], "%b %Y"
    elif span > 21:
        chosen, form = [day for day in midnights if day.weekday() == 0], "%d %b"
        chosen = chosen[:: max(1, len(chosen) // 9)]
    else:
        chosen, form = midnights[:: max(1, span // 8)], "%d %b"
    return [(day, day.strftime(form)) for day in chosen if first <= day <= last]


def line(points: Sequence[tuple[float, float]], style: str) -> str:
    """Return a polyline."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{style}" points="{path}"/>'


def segment(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def rectangle(
    x: float, y: float, size: tuple[float, float], style: str, title: str = "", fill: str = ""
) -> str:
    """Return a rectangle with a tooltip."""
    paint = f' fill="{fill}"' if fill else ""
    width, height = size
    return (
        f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}" '
        f'height="{height:.1f}"{paint}><title>{escape(title)}</title></rect>'
    )


def dot(x: float, y: float, style: str, title: str) -> str:
    """Return a point with a tooltip."""
    place = f'cx="{x:.1f}" cy="{y:.1f}"'
    return f'<circle class="{style}" {place} r="2.5"><title>{escape(title)}</title></circle>'


def text(x: float, y: float, content: str, style: str = "label", anchor: str = "start") -> str:
    """Return a label."""
    return (
        f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def figure(parts: Sequence[str], height: float, width: float, title: str) -> str:
    """Return the whole drawing, scaled to its container."""
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"{body}</svg>"
    )
