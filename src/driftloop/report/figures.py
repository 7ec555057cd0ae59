"""Figures: the five numbers that say whether the loop earns its keep, each with its meaning."""

from __future__ import annotations

from statistics import median
from typing import Any

from driftloop.report import wording
from driftloop.report.record import Run, Summary

Figure = tuple[str, str, str]
"""What it is, its value, and what to hold it against."""


def five(summary: Summary, run: Run) -> list[Figure]:
    """Return the closing table's rows; a figure that this run cannot have says why."""
    return [
        _kpi(summary),
        _against_calendar(summary),
        _captured(summary),
        _found(summary, run),
        _retrained(summary, run),
    ]


def _kpi(summary: Summary) -> Figure:
    name = str(summary.get("kpi_name") or "KPI").replace("_", " ")
    known = [p for p in summary.get("kpi") or () if p.get("value") is not None]
    if not known:
        return name, wording.NONE, "No period has mature outcomes."
    values = [p["value"] for p in known]
    weight = [p.get("impressions") or 1.0 for p in known]
    mean = sum(v * w for v, w in zip(values, weight, strict=True)) / sum(weight)
    unit = str(summary.get("kpi_unit") or "")
    lowest, highest = wording.short(min(values)), wording.short(max(values))
    periods = wording.plural(len(known), "period")
    meaning = f"Mean of {periods} by impressions; from {lowest} to {highest}."
    return name, f"{wording.short(mean)} {unit}".strip(), meaning


def _against_calendar(summary: Summary) -> Figure:
    name, found = "log loss", summary.get("comparison") or {}
    mine, gap = found.get("driftloop"), found.get("difference_to_calendar")
    if not mine:
        return name, _own_loss(summary), "The other policies were not computed for this run."
    if not gap:
        return name, wording.number(mine["log_loss"], 5), "In nats per impression."
    meaning = (
        f"In nats per impression; {wording.signed(gap['estimate'])} against as many retrainings "
        f"by the calendar, 95 % interval {wording.signed(gap['low'])} to "
        f"{wording.signed(gap['high'])}: {_judged(gap)}."
    )
    return name, wording.number(mine["log_loss"], 5), meaning


def _judged(gap: dict[str, Any]) -> str:
    if gap["high"] < 0:
        return "better"
    return "worse" if gap["low"] > 0 else "no difference beyond chance"


def _own_loss(summary: Summary) -> str:
    known = [p for p in summary.get("kpi") or () if p.get("impressions")]
    total = sum(p["impressions"] for p in known)
    return (
        wording.number(sum(p["log_loss"] * p["impressions"] for p in known) / total, 5)
        if total
        else wording.NONE
    )


def _captured(summary: Summary) -> Figure:
    name, found = "gain of daily retraining captured", summary.get("comparison") or {}
    mine, daily = found.get("driftloop"), found.get("retrained_daily")
    if not (mine and daily):
        return name, wording.NONE, "The other policies were not computed for this run."
    fits = f"{wording.plural(mine['fits'], 'fit')} instead of {daily['fits']:,}"
    gain = found.get("gain_captured")
    if gain is None:
        return name, wording.NONE, f"Daily retraining gained nothing here; {fits}."
    return name, wording.share(gain), f"With {fits}."


def _found(summary: Summary, run: Run) -> Figure:
    changes = summary.get("changes") or ()
    if not changes:
        windows = wording.plural(summary.get("windows") or 0, "window")
        drift = wording.plural(summary.get("drift_events") or 0, "drift event")
        return "drift found", drift, f"In {windows}; no change was scheduled to be found."
    found = [change for change in changes if change.get("detected")]
    meaning = f"Median from onset: {_median(found, 'detection')} to detection"
    promoted = [c for c in found if c.get("seconds_to_promotion") is not None]
    if promoted:
        meaning += f", {_median(promoted, 'promotion')} to the new model"
    value = f"{len(found)} of {len(changes)}"
    return "scheduled changes found", value, f"{meaning}." if found else "None was found."


def _median(changes: list[dict[str, Any]], what: str) -> str:
    rows = [c[f"rows_to_{what}"] for c in changes if c.get(f"rows_to_{what}") is not None]
    seconds = [c[f"seconds_to_{what}"] for c in changes if c.get(f"seconds_to_{what}") is not None]
    if not (rows and seconds):
        return "an unknown time"
    return f"{wording.number(median(rows))} rows, {wording.duration(median(seconds))}"


def _retrained(summary: Summary, run: Run) -> Figure:
    causes: dict[str, int] = {}
    for attempt in run.attempts:
        for kind in attempt.kinds[:1]:
            causes[kind] = causes.get(kind, 0) + 1
    listed = ", ".join(f"{count} {kind}" for kind, count in causes.items())
    faults = wording.plural(len(run.faults), "data fault")
    promoted, rolled = len(run.versions), summary.get("rollbacks") or 0
    meaning = f"By first cause: {listed or 'none'}. {faults} alerted, {rolled} rolled back."
    return "retrainings promoted", f"{promoted} of {len(run.attempts)}", meaning
