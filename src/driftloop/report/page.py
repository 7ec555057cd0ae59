"""Page: summary and events of a run as one HTML page, with nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from driftloop.report import (
    analysis,
    document,
    drift_plot,
    figures,
    kpi_plot,
    record,
    sections,
    stages,
    svg,
    version_plot,
    wording,
)
from driftloop.report.frame import SLIM, SLIM_FULL, WIDE, Frame
from driftloop.report.heat import BOUNDS
from driftloop.report.record import Events, Run, Summary
from driftloop.report.table import table
from driftloop_contracts import times


def render(summary: Summary, events: Events) -> str:
    """Return the page of a finished run; every name and reason in it is escaped.

    ``summary`` and ``events``: the contents of summary.json and events.jsonl. A part that the
    run does not have leaves a sentence in its place.
    """
    run = record.read(summary, events)
    kpi = str(summary.get("kpi_name") or "KPI").replace("_", " ")
    body = [
        _header(summary),
        document.section("The figures that matter", _five(summary, run)),
        document.section(f"{kpi[:1].upper()}{kpi[1:]} over time", _kpi(summary, run, kpi)),
        document.section("The six stages", stages.section(summary, run)),
        document.section("Drift per feature", _drift(run), anchor="drift"),
        document.section("Model versions", _versions(run), anchor="versions"),
        document.section("Retrainings", sections.retrainings(run), anchor="retrainings"),
        document.section(
            "The newest bundle: where it fails and what to do next",
            analysis.latest(summary.get("analysis") or {}),
        ),
        document.section("Against other retraining policies", sections.comparison(summary)),
        document.section("Scheduled changes", sections.changes(summary)),
        document.section(
            f"{kpi[:1].upper()}{kpi[1:]} by period", sections.periods(summary), "periods", "periods"
        ),
        document.section("Notes on the data", sections.notes(summary), anchor="notes"),
        document.section("Decisions", sections.decisions(summary)),
    ]
    return document.whole(f"{summary.get('loop', 'run')}: {summary.get('data', '')}", "".join(body))


def _header(summary: Summary) -> str:
    facts = [
        ("data", str(summary.get("data") or wording.NONE), True),
        ("span of the data", _span(summary, "first_event_time"), True),
        ("served", _span(summary, "replay_from"), True),
        ("seed", str(summary.get("seed", wording.NONE)), False),
        ("rows", wording.number(summary.get("rows")), False),
        ("predictions", wording.number(summary.get("predictions")), False),
        ("windows scored", wording.number(summary.get("windows")), False),
        ("wall time", _measured(summary.get("wall_seconds"), "s"), False),
        ("peak memory", _measured(summary.get("peak_rss_mb"), "MB"), False),
    ]
    listed = "".join(
        f"<div{' class=long' if long else ''}><dt>{name}</dt><dd>{escape(value)}</dd></div>"
        for name, value, long in facts
    )
    name = escape(str(summary.get("loop") or "A run"))
    return f"<header><h1>{name}</h1><dl class=facts>{listed}</dl></header>"


def _measured(value: object, unit: str) -> str:
    found = wording.number(value)
    return found if found == wording.NONE else f"{found} {unit}"


def _span(summary: Summary, start: str) -> str:
    ends = [summary.get(key) for key in (start, "last_event_time")]
    return " to ".join(str(times.from_text(t).date()) if t else wording.NONE for t in ends)


def _five(summary: Summary, run: Run) -> str:
    return table(["figure", "value", "what it means"], figures.five(summary, run), style="five")


def _figure(caption: str, draw: Callable[[Frame], str], slim: Frame, missing: str) -> str:
    """Return a plot drawn for wide and for narrow screens; the style sheet shows one."""
    wide = draw(WIDE)
    if not wide:
        return sections.empty(missing)
    return (
        f"<figure><figcaption>{caption}</figcaption>"
        f'<div class="wide">{wide}</div><div class="slim">{draw(slim)}</div></figure>'
    )


def _kpi(summary: Summary, run: Run, kpi: str) -> str:
    unit = str(summary.get("kpi_unit") or "")
    name = f"{kpi} ({unit})" if unit else kpi
    caption = (
        "A dot is a cohort of mature outcomes; the line is the mean of "
        f"{kpi_plot.SMOOTHING} neighbouring cohorts, less the highest and the lowest. Shades are "
        "the models in service, from promotion to promotion. "
        + ("Hollow dots lie beyond the axis. " if kpi_plot.beyond(run) else "")
        + _kpi_key(run)
    )
    missing = "No cohort of outcomes has matured, so there is no KPI to plot."
    return _figure(caption, lambda frame: kpi_plot.draw(run, frame, name), SLIM, missing)


def _kpi_key(run: Run) -> str:
    shown = {mark.kind for _, marks in kpi_plot.lanes(run) for mark in marks}
    names = {
        "held": "retraining held",
        "rejected": "rejected",
        "failed": "failed",
        "fault": "data fault",
    }
    return "".join(_key(_glyph(kind), text) for kind, text in names.items() if kind in shown)


def _drift(run: Run) -> str:
    low = ("0", *(f"{bound:g}" for bound in BOUNDS))
    steps = "".join(_key(f'<i class="heat-{i}"></i>', f"{a}+") for i, a in enumerate(low))
    caption = (
        "A cell is a window, or the worst of its neighbours where they are too many; its colour is "
        "effect / threshold, orange from the threshold on. A cell may lie above its threshold and "
        'not fire when chance explains it. <span class="hover">Point at a cell for the numbers.'
        f"</span><br>{steps}{_key('<i class=fired></i>', 'fired')}"
        f"{_key('<i class=fault></i>', 'fault')}"
    )
    missing = "No window was scored in this run."
    return _figure(caption, lambda frame: drift_plot.draw(run, frame), SLIM_FULL, missing)


def _versions(run: Run) -> str:
    used = [version_plot.main_kind(version.attempt) for version in run.versions]
    kinds = "".join(_key(f'<i class="{k}"></i>', k) for k in version_plot.KINDS if k in used)
    caption = f"A bar is a model in service; its colour is why it was trained. {kinds}"
    missing = "No model was promoted in this run."
    return _figure(caption, lambda frame: version_plot.draw(run, frame), SLIM_FULL, missing)


def _glyph(kind: str) -> str:
    return f'<svg viewBox="-7 -7 14 14">{svg.glyph(0, 0, kind)}</svg>'


def _key(mark: str, text: str) -> str:
    return f'<span class="key">{mark}{escape(text)}</span>'
