"""Review page: a business review as HTML: the decision, the KPI by period, money, alternatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from driftloop.report import document, sections, svg, wording
from driftloop.report.axis import Scale, ticks
from driftloop.report.table import Markup, paragraphs, table
from driftloop_contracts import times

Record = Mapping[str, Any]

WIDTH, HEIGHT, LEFT, TOP = 1040.0, 230.0, 76.0, 26.0
STYLES = {"continue": "promoted", "pivot": "held", "end": "rejected"}
"""The colour of each decision: those of the gate's verdicts."""


def render(record: Record) -> str:
    """Return the page of a review; every name and reason in it is escaped.

    ``record``: the content of review.json.
    """
    name = _kpi_name(record)
    body = [
        _header(record),
        document.section("Decision", _decision(record)),
        document.section(f"{name} by period", _plot(record, name) + _kpi_table(record, name)),
        document.section("Money by period", _money(record)),
        document.section("What other objectives promise", _alternatives(record)),
    ]
    return document.whole(f"{record['loop']}: business review", "".join(body))


def _kpi_name(record: Record) -> str:
    name = str(record["kpi_name"]).replace("_", " ")
    return f"{name[:1].upper()}{name[1:]}"


def _header(record: Record) -> str:
    told = [
        ("objective", record["objective"]),
        ("label", record["label"]),
        ("period", wording.duration(record["period_seconds"])),
        ("known until", wording.day(times.from_text(record["until"]))),
        ("target", wording.short(record["target"])),
        ("floor of profit", _amount(record["floor"], record["currency"])),
    ]
    listed = "".join(f"<div><dt>{a}</dt><dd>{escape(str(b))}</dd></div>" for a, b in told)
    title = escape(f"{record['loop']}: business review")
    return f"<header><h1>{title}</h1><dl class=facts>{listed}</dl></header>"


def _decision(record: Record) -> str:
    style = STYLES.get(str(record["decision"]), "held")
    said = f'<p><span class="verdict {style}">{escape(str(record["said"]))}</span></p>'
    return said + paragraphs([str(sentence) for sentence in record["evidence"]])


def _plot(record: Record, name: str) -> str:
    periods = [one for one in record["periods"] if one["kpi"]["value"] is not None]
    if not periods:
        return sections.empty("The KPI has no value in any period.")
    values = [v for one in periods for v in _bounds(one["kpi"]) if v is not None]
    target = record["target"]
    low, high = min([*values, *_given(target)]), max([*values, *_given(target)])
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 0.1
    y = Scale(low - margin, high + margin, HEIGHT - 34, TOP)
    unit = f"{name} ({record['kpi_unit']})" if record["kpi_unit"] else name
    parts = [svg.text(LEFT, 14, unit, "head")]
    for value, label in ticks(y.low, y.high):
        parts.append(svg.segment(LEFT, y(value), WIDTH - 20, y(value), "grid"))
        parts.append(svg.text(LEFT - 6, y(value) + 4, label, anchor="end"))
    if target is not None:
        parts.append(svg.segment(LEFT, y(target), WIDTH - 20, y(target), "guide rejected"))
        parts.append(svg.text(WIDTH - 22, y(target) - 5, "target", "halo", "end"))
    step = (WIDTH - 20 - LEFT) / len(periods)
    for place, one in enumerate(periods):
        parts += _whisker(one, LEFT + step * (place + 0.5), y, step)
    caption = (
        f"A dot is a period, its line the {record['confidence']:.0%} interval; "
        "a hollow dot is a period that is not over, or not mature."
    ).replace("%", " %")
    drawn = svg.figure(parts, WIDTH, HEIGHT, f"{name} by period")
    return f"<figure><figcaption>{escape(caption)}</figcaption>{drawn}</figure>"


def _whisker(period: Record, x: float, y: Scale, room: float) -> list[str]:
    low, value, high = _bounds(period["kpi"])
    style = "raw" if period["complete"] else "raw outside"
    start = wording.day(times.from_text(period["start"]))
    title = f"{start}: {wording.short(value, 4)}, {_between(period['kpi'], 4)}"
    parts = [svg.dot(x, y(value or 0.0), 4.5, style, title)]
    if low is not None and high is not None:
        parts.insert(0, svg.segment(x, y(low), x, y(high), "promotion"))
    label = wording.clipped(start, room)
    return [*parts, svg.text(x, HEIGHT - 12, label, anchor="middle")]


def _kpi_table(record: Record, name: str) -> str:
    has_proxy = any(one["satisfaction"] for one in record["periods"])
    columns = ["period", "rows", "impressions", "positives", name, "between"]
    columns += ["satisfaction proxy", "between"] if has_proxy else []
    rows = []
    for one in record["periods"]:
        row = [_span(one), wording.number(one["rows"]), wording.number(one["impressions"])]
        row += [wording.number(one["positives"]), *_told(one["kpi"])]
        rows.append(row + (_told(one["satisfaction"] or {}) if has_proxy else []))
    return table(columns, rows, numbers=set(range(1, len(columns))))


def _money(record: Record) -> str:
    currency = record["currency"]
    if not currency:
        return sections.empty("No prices and costs are declared (business.prices, business.costs).")
    columns = ["period", "revenue", "between", "compute", "labelling", "profit", "between"]
    rows = [
        [
            _span(one),
            *_told(one["revenue"], 2),
            wording.number(one["compute_cost"], 2),
            wording.number(one["labelling_cost"], 2),
            *_told(one["profit"], 2),
        ]
        for one in record["periods"]
    ]
    lead = f"In {currency}. Costs are counted, so they have no interval."
    return f"<p class=lead>{escape(lead)}</p>" + table(columns, rows, numbers=set(range(1, 7)))


def _alternatives(record: Record) -> str:
    if not record["promises"]:
        return sections.empty(
            "No alternative was judged: none is declared, or no propensities were logged."
        )
    columns = [
        "objective",
        "method",
        "present policy, a round",
        "its policy, a round",
        "gain",
        "between",
        "effective sample size",
        "mean weight",
        "largest",
        "faults",
    ]
    rows = [_promise(one) for one in record["promises"]]
    return table(columns, rows, numbers=set(range(2, 9)))


def _promise(one: Record) -> Sequence[str]:
    among = wording.number(one.get("groups") or one["rounds"])
    return [
        str(one["name"]),
        str(one["value"]["method"]),
        wording.short(one["current"]["value"], 4),
        wording.short(one["value"]["value"], 4),
        wording.signed(one["gain"]["value"], 5),
        _between(one["gain"], 5),
        f"{wording.number(one['effective'])} of {among}",
        wording.number(one["mean_weight"], 3),
        wording.number(one["largest_weight"], 1),
        Markup(paragraphs(one["faults"]) or wording.NONE),
    ]


def _told(number: Record, digits: int = 4) -> list[str]:
    return [wording.number(number.get("value"), digits), _between(number, digits)]


def _between(number: Record, digits: int) -> str:
    low, high = number.get("low"), number.get("high")
    if low is None or high is None:
        return wording.NONE
    return f"{wording.number(low, digits)} to {wording.number(high, digits)}"


def _bounds(number: Record) -> tuple[float | None, float | None, float | None]:
    return number["low"], number["value"], number["high"]


def _given(target: float | None) -> list[float]:
    return [] if target is None else [target]


def _span(period: Record) -> str:
    start, end = (times.from_text(period[key]) for key in ("start", "end"))
    return wording.span(start, end) + ("" if period["complete"] else ", not over")


def _amount(value: Any, currency: str) -> str:
    found = wording.number(value, 2)
    return found if found == wording.NONE else f"{found} {currency}"
