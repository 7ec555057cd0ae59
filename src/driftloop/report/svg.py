"""SVG: the few shapes that the plots need; every text is escaped, styles are the project's own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

GLYPHS = {
    "held": "M0,-5 5,0 0,5 -5,0Z",
    "rejected": "M-4,-4 4,4M4,-4 -4,4",
    "failed": "M-4,-4 4,4M4,-4 -4,4",
    "fault": "M-4.5,-4.5H4.5V4.5H-4.5Z",
    "change": "M-5,-4 5,-4 0,5Z",
}
"""Marks told apart by shape as well as by colour: paths about (0, 0), 10 pixels wide."""


def line(points: Sequence[tuple[float, float]], style: str) -> str:
    """Return a polyline."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{style}" points="{path}"/>'


def segment(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def rectangle(x: float, y: float, size: tuple[float, float], style: str, title: str = "") -> str:
    """Return a rectangle, at least half a pixel wide, with a tooltip."""
    width, height = size
    shape = f'<rect class="{style}" x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}"'
    return _titled(f'{shape} height="{height:.1f}"', "rect", title)


def dot(x: float, y: float, radius: float, style: str, title: str = "") -> str:
    """Return a point with a tooltip."""
    return _titled(
        f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"', "circle", title
    )


def glyph(x: float, y: float, kind: str, title: str = "") -> str:
    """Return one of the marks in GLYPHS with a tooltip."""
    path = GLYPHS[kind]
    place = f'transform="translate({x:.1f} {y:.1f})"'
    return _titled(f'<path class="glyph {kind}" {place} d="{path}"', "path", title)


def text(x: float, y: float, content: str, style: str = "label", anchor: str = "start") -> str:
    """Return a label."""
    if not content:
        return ""
    return (
        f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(content)}</text>"
    )


def figure(parts: Sequence[str], width: float, height: float, title: str) -> str:
    """Return the whole drawing, scaled to its container."""
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(title)}">{body}</svg>'
    )


def _titled(shape: str, tag: str, title: str) -> str:
    return f"{shape}><title>{escape(title)}</title></{tag}>" if title else f"{shape}/>"
