"""Plots: KPI, drift per feature and model versions over the same time axis."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from driftloop.report import svg
from driftloop.report.svg import Scale
from driftloop_contracts import event_types as types
from driftloop_contracts import times

Events = list[dict[str, Any]]

WIDTH, LEFT, RIGHT = 960.0, 130.0, 20.0
VERSION_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Okabe and Ito's palette: told apart with any colour vision."""
SMOOTHING = 7
"""Cohorts in the running mean of the KPI."""


class Axis:
    """The time axis that all plots of a page share."""

    def __init__(self, summary: dict[str, Any]) -> None:
        self.first = times.from_text(summary["replay_from"])
        self.last = max(times.from_text(summary["last_event_time"]), self.first)
        self._scale = Scale(0.0, self._seconds(self.last), LEFT, WIDTH - RIGHT)

    def __call__(self, time: str | datetime) -> float:
        """Return the pixel of an instant."""
        instant = time if isinstance(time, datetime) else times.from_text(time)
        return self._scale(min(max(self._seconds(instant), 0.0), self._seconds(self.last)))

    def draw(self, top: float, bottom: float) -> list[str]:
        """Return grid lines and dates below them."""
        parts = []
        for day, label in svg.days(self.first, self.last):
            parts.append(svg.segment(self(day), top, self(day), bottom, "grid"))
            parts.append(svg.text(self(day), bottom + 14, label, anchor="middle"))
        return parts

    def _seconds(self, time: datetime) -> float:
        return (time - self.first).total_seconds()


def kpi(summary: dict[str, Any], events: Events, axis: Axis) -> str:
    """Return the KPI over time: cohorts as dots, their running mean, promotions and faults."""
    cohorts = [e["data"] for e in _of(events, types.COHORT_SCORED) if e["data"]["kpi"] is not None]
    if not cohorts:
        return ""
    values = [float(cohort["kpi"]) for cohort in cohorts]
    low, high = _range(values)
    y = Scale(low, high, 210, 24)
    parts = axis.draw(24, 210)
    for tick in svg.ticks(low, high):
        parts.append(svg.segment(LEFT, y(tick), WIDTH - RIGHT, y(tick), "grid"))
        parts.append(svg.text(LEFT - 6, y(tick) + 4, f"{tick:g}", anchor="end"))
    parts += _marks(events, axis, 24, 210)
    for cohort, value in zip(cohorts, values, strict=True):
        title = f"{cohort['start'][:10]}: {value:.4f} on {cohort['impressions']:,.0f} impressions"
        parts.append(svg.dot(axis(cohort["start"]), y(min(max(value, low), high)), "raw", title))
    mean = [(axis(c["start"]), y(m)) for c, m in zip(cohorts, _smooth(values), strict=True)]
    parts.append(svg.line(mean, "mean"))
    parts.append(svg.text(LEFT, 14, f"{summary['kpi_name']} ({summary['kpi_unit']})", "head"))
    return svg.figure(parts, 232, WIDTH, "KPI over time")


def drift(events: Events, axis: Axis) -> str:
    """Return a map of effect / threshold: one row per feature, one cell per window."""
    windows = [event["data"] for event in _of(events, types.WINDOW_SCORED)]
    if not windows:
        return ""
    names = [feature["name"] for feature in windows[0]["features"]]
    height = 20.0
    parts = axis.draw(8, 8 + height * len(names))
    for row, name in enumerate(names):
        parts.append(svg.text(LEFT - 8, 8 + height * (row + 0.65), name, anchor="end"))
        for window in windows:
            found = {feature["name"]: feature for feature in window["features"]}
            if name in found:
                parts.append(_cell(window, found[name], axis, 9 + height * row, height - 2))
    return svg.figure(parts, 30 + height * len(names), WIDTH, "Drift per feature over time")


def versions(events: Events, axis: Axis) -> str:
    """Return one bar per bundle, from its promotion to the next one's."""
    promoted = _of(events, types.ROLLOUT_PROMOTED)
    if not promoted:
        return ""
    height = 20.0
    ends = [event["time"] for event in promoted[1:]] + [times.to_text(axis.last)]
    bottom = 8 + height * len(promoted)
    parts = axis.draw(8, bottom)
    for row, (event, end) in enumerate(zip(promoted, ends, strict=True)):
        start, version = axis(event["time"]), event["data"]["version"]
        size = (axis(end) - start, height - 4)
        title = f"{version} from {event['time'][:10]} to {end[:10]}"
        colour = VERSION_COLOURS[row % len(VERSION_COLOURS)]
        parts.append(svg.rectangle(start, 10 + height * row, size, "bar", title, colour))
        parts.append(svg.text(LEFT - 8, 8 + height * (row + 0.65), version, anchor="end"))
    return svg.figure(parts, bottom + 22, WIDTH, "Model versions over time")


def _cell(
    window: dict[str, Any], feature: dict[str, Any], axis: Axis, y: float, height: float
) -> str:
    start, end = axis(window["window_start"]), axis(window["window_end"])
    ratio = float(feature["effect"]) / float(feature["threshold"])
    says = feature["fault"] or ("shift" if feature["shift"] else "quiet")
    title = (
        f"{feature['name']}, {window['window_start'][:10]}: {says}; distance "
        f"{feature['effect']:.3f}, threshold {feature['threshold']:.3f}, n = {window['n']}"
    )
    style = "fault" if feature["fault"] else ("shift" if feature["shift"] else "quiet")
    opacity = min(1.0, 0.06 + 0.8 * min(ratio, 1.0))
    cell = svg.rectangle(start, y, (end - start - 0.6, height), f"cell {style}", title)
    return cell.replace("<rect", f'<rect fill-opacity="{opacity:.2f}"', 1)


def _marks(events: Events, axis: Axis, top: float, bottom: float) -> list[str]:
    """Return a vertical line per promotion, held retraining and data fault."""
    parts = []
    for event in events:
        style = _mark(event)
        if style:
            x = axis(event["time"])
            parts.append(svg.segment(x, top, x, bottom, style))
    return parts


def _mark(event: dict[str, Any]) -> str:
    if event["type"] == types.ROLLOUT_PROMOTED:
        return "promotion"
    if event["type"] == types.DATA_FAULT:
        return "alert"
    ended = event["type"] == types.RETRAINING_ENDED
    return "held" if ended and event["data"]["verdict"] != "promote" else ""


def _of(events: Events, kind: str) -> Events:
    return [event for event in events if event["type"] == kind]


def _range(values: list[float]) -> tuple[float, float]:
    """Return the axis: the middle 98 % of the values, so that one bad day hides nothing."""
    ordered = sorted(values)
    cut = len(ordered) // 100
    low, high = ordered[cut], ordered[-1 - cut]
    margin = (high - low) * 0.08 or 0.01
    return low - margin, high + margin


def _smooth(values: list[float]) -> list[float]:
    spans = [values[max(0, i - SMOOTHING + 1) : i + 1] for i in range(len(values))]
    low, high = _range(values)
    return [min(max(sum(span) / len(span), low), high) for span in spans]
