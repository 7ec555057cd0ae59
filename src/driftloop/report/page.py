"""Page: summary and events of a run as one HTML page, with nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from driftloop.report import plots
from driftloop.report.plots import Axis, Events

POLICIES = ("never_retrained", "driftloop", "calendar", "retrained_daily")

STYLE = """
:root { --ink: #1b1f24; --soft: #5c6670; --line: #d9dee3; --paper: #fff; --accent: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #9aa5b0; --line: #343b43; --paper: #14181c; --accent: #56b4e9; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1080px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { margin: 0 0 4px; font-size: 26px; } h2 { margin: 36px 0 8px; font-size: 18px; }
p { margin: 4px 0 10px; max-width: 75ch; } .soft { color: var(--soft); }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin: 16px 0; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 8px 14px; min-width: 128px; }
.card b { display: block; font-size: 20px; } .card span { color: var(--soft); font-size: 13px; }
.wide { overflow-x: auto; } svg { width: 100%; min-width: 620px; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 10px 5px 0;
  border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.label { font-size: 11px; fill: var(--soft); } .head { font-size: 12px; fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: 0.6; }
.raw { fill: var(--accent); fill-opacity: 0.35; }
.mean { fill: none; stroke: var(--accent); stroke-width: 2; }
.promotion { stroke: #009e73; stroke-width: 1.4; }
.held { stroke: #e69f00; stroke-width: 1.4; stroke-dasharray: 4 3; }
.alert { stroke: #d55e00; stroke-width: 1.8; stroke-dasharray: 2 2; }
.cell { fill: var(--accent); } .cell.shift { fill: #e69f00; fill-opacity: 1; }
.cell.fault { fill: #d55e00; fill-opacity: 1; }
.key span { white-space: nowrap; }
.key i { display: inline-block; width: 14px; height: 10px; margin: 0 5px 0 14px; }
"""


def render(summary: dict[str, Any], events: Events) -> str:
    """Return the page of a finished run; every name and reason in it is escaped."""
    axis = Axis(summary)
    sections = [
        _header(summary),
        _cards(summary),
        _section("KPI over time", _kpi_key(), plots.kpi(summary, events, axis)),
        _section("Drift per feature", _drift_key(), plots.drift(events, axis)),
        _section("Model versions", "", plots.versions(events, axis)),
        _section("Retrainings", "", _retrainings(summary)),
        _section("Against other policies", _compared(summary), _comparison(summary)),
        _section("Scheduled changes", "", _changes(summary)),
        _section(f"{summary['kpi_name']} by period", "", _periods(summary)),
    ]
    title = escape(f"{summary['loop']}: {summary['data']}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head><body>"
        f"{''.join(sections)}</body></html>"
    )


def _header(summary: dict[str, Any]) -> str:
    span = f"{summary['first_event_time'][:10]} to {summary['last_event_time'][:10]}"
    notes = "".join(f"<p class=soft>{escape(note)}</p>" for note in summary["notes"])
    return (
        f"<h1>{escape(summary['loop'])}</h1><p class=soft>{escape(summary['data'])}, {span}, "
        f"served from {summary['replay_from'][:10]}; {summary['rows']:,} rows, "
        f"{summary['rejected_rows']:,} rejected.</p>{notes}"
    )


def _cards(summary: dict[str, Any]) -> str:
    figures = [
        ("predictions", f"{summary['predictions']:,}"),
        ("windows scored", f"{summary['windows']:,}"),
        ("drift events", str(summary["drift_events"])),
        ("data faults", str(summary["fault_events"])),
        ("retrainings", str(len(summary["retrainings"]))),
        ("promotions", str(len(summary["promotions"]))),
        ("wall time", f"{summary['wall_seconds']:.0f} s"),
        ("peak memory", f"{summary['peak_rss_mb']:,.0f} MB"),
    ]
    cards = "".join(f"<div class=card><b>{v}</b><span>{n}</span></div>" for n, v in figures)
    return f"<div class=cards>{cards}</div>"


def _section(title: str, lead: str, content: str) -> str:
    shown = content or "<p class=soft>There is nothing to show for this run.</p>"
    return f"<h2>{escape(title)}</h2>{lead}<div class=wide>{shown}</div>"


def _kpi_key() -> str:
    return _key(
        [("#009e73", "promotion"), ("#e69f00", "retraining held back"), ("#d55e00", "data fault")],
        "Dots: daily cohorts of mature outcomes. Line: their running mean over seven.",
    )


def _drift_key() -> str:
    return _key(
        [
            ("#0072b2", "quiet (darker: nearer its threshold)"),
            ("#e69f00", "shift"),
            ("#d55e00", "fault"),
        ],
        "One cell per window; point at it for the numbers.",
    )


def _key(entries: list[tuple[str, str]], lead: str) -> str:
    marks = "".join(
        f'<span><i style="background:{c}"></i>{escape(name)}</span> ' for c, name in entries
    )
    return f'<p class="soft key">{escape(lead)}{marks}</p>'


def _retrainings(summary: dict[str, Any]) -> str:
    rows = []
    for row in summary["retrainings"]:
        causes = [f"{c['kind']}: {c['evidence'][0]}" for c in row["causes"]]
        outcome = f"{row['verdict']} {row['version'] or ''}"
        rows.append(
            [
                row["event_time"][:10],
                row["id"],
                "; ".join(causes),
                outcome,
                " ".join(row["reasons"]),
            ]
        )
    return _table(["day", "retraining", "why it ran", "verdict", "why"], rows)


def _compared(summary: dict[str, Any]) -> str:
    gap = summary["comparison"].get("difference_to_calendar")
    if not gap:
        return ""
    text = (
        "Same features, estimator and training window; each row is predicted before its outcome is "
        f"used. Driftloop minus calendar: {gap['estimate']:+.5f} nats per impression "
        f"[{gap['low']:+.5f}, {gap['high']:+.5f}], 95 % over weeks."
    )
    return f"<p class=soft>{escape(text)}</p>"


def _comparison(summary: dict[str, Any]) -> str:
    found = summary["comparison"]
    rows = [
        [name.replace("_", " "), f"{found[name]['log_loss']:.5f}", str(found[name]["fits"])]
        for name in POLICIES
        if name in found
    ]
    return _table(["policy", "log loss (nats per impression)", "fits"], rows, numbers=(1, 2))


def _changes(summary: dict[str, Any]) -> str:
    rows = [
        [
            change["name"],
            change["kind"],
            change["start"][:10],
            "yes" if change["detected"] else "no",
            _after(change, "detection"),
            _after(change, "promotion"),
        ]
        for change in summary["changes"]
    ]
    return _table(["change", "kind", "from", "found", "found after", "new model after"], rows)


def _after(change: dict[str, Any], what: str) -> str:
    rows, seconds = change[f"rows_to_{what}"], change[f"seconds_to_{what}"]
    return "" if rows is None else f"{rows:,} rows, {seconds / 86400:.1f} days"


def _periods(summary: dict[str, Any]) -> str:
    rows = [
        [
            f"{period['start'][:10]} to {period['end'][:10]}",
            f"{period['impressions']:,.0f}",
            f"{period['positives']:,.0f}",
            f"{period['log_loss']:.5f}",
            "" if period["value"] is None else f"{period['value']:.4f}",
        ]
        for period in summary["kpi"]
    ]
    columns = ["period", "impressions", "positives", "log loss", summary["kpi_name"]]
    return _table(columns, rows, numbers=(1, 2, 3, 4))


def _table(columns: Sequence[str], rows: list[list[str]], numbers: Iterable[int] = ()) -> str:
    if not rows:
        return ""
    right = set(numbers)
    head = "".join(_cell("th", name, i in right) for i, name in enumerate(columns))
    body = "".join(
        "<tr>" + "".join(_cell("td", v, i in right) for i, v in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, content: str, number: bool) -> str:
    return f"<{tag}{' class=n' if number else ''}>{escape(str(content))}</{tag}>"
