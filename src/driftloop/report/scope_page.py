"""Scope page: the findings of scoping as an HTML page that fetches nothing."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from driftloop.evaluation.difference import Interval
from driftloop.report import curve_plot, document, sections
from driftloop.report import scope_words as words
from driftloop.report.scope_table import CHECKS, ESTIMATES, RULES, STEPS
from driftloop.report.table import Markup, paragraphs, table
from driftloop.scoping.scope import TENFOLD, Estimates, Scope

CLASSES = {"ML": "promoted", "rule": "held", "not yet": "rejected"}


def render(found: Scope) -> str:
    """Return the page; everything that a use case says is escaped."""
    name = found.loop.name
    body = [
        f"<header><h1>{escape(name)}: scoping</h1>{_verdict(found)}</header>",
        document.section("Charter", table(["what", "said"], words.charter(found))),
        document.section("Data", table(["what", "found"], words.inventory(found))),
        document.section("Today's process", _steps(found)),
        document.section("Without ML", _rules(found)),
        document.section("Estimates from a sample run", _estimates(found)),
        document.section("Within reach", _checks(found)),
    ]
    return document.whole(f"{name}: scoping", "".join(body))


def _verdict(found: Scope) -> str:
    said = found.verdict
    head = (
        f'<p>Verdict: <span class="verdict {CLASSES[said.kind]}">{escape(said.kind)}</span>. '
        f"Condition: {escape(said.condition)}.</p>"
    )
    parts = [head, paragraphs(said.reasons)]
    for title, sentences in (
        ("Missing", said.missing),
        ("What would change it", said.would_change),
    ):
        if sentences:
            listed = "".join(f"<li>{escape(one)}</li>" for one in sentences)
            parts.append(f"<p class=lead>{title}:</p><ul>{listed}</ul>")
    if said.returned:
        target, rule = said.returned.target.title, said.returned.rule
        parts.append(paragraphs([f"The loop goes back to {target} by the rule {rule}."]))
    return "".join(parts)


def _steps(found: Scope) -> str:
    if found.bottleneck is None:
        return sections.empty("No times of today's process are given.")
    said = paragraphs([found.bottleneck.reason])
    return said + table(STEPS, words.steps(found), numbers={1, 2, 3, 4})


def _rules(found: Scope) -> str:
    if not found.rules:
        return sections.empty("No rule was judged.")
    return table(RULES, words.rules(found), numbers={2})


def _estimates(found: Scope) -> str:
    known = found.estimates
    if known is None:
        return sections.empty("No sample run was made: the verdict does not need one.")
    frame, most = known.runs, float(TENFOLD * found.rows)
    target = (found.target, "target") if found.target is not None else None
    memory = list(zip(frame["rows"], frame["memory"] / 1e6, strict=True))
    pairs = {n: list(zip(frame["rows"], frame[n], strict=True)) for n in ("loss", "seconds")}
    plots = [
        curve_plot.draw("log loss", pairs["loss"], known.loss.at, most, target),
        curve_plot.draw("CPU seconds of a fit", pairs["seconds"], known.seconds.at, most),
        curve_plot.draw("peak memory of a fit, MB", memory, _megabytes(known), most),
    ]
    said = [f"{len(frame)} fits; {known.skipped} were left out for time."]
    said.append(("" if known.loss.identified else "Not identified: ") + known.loss.reason)
    figures = "".join(f"<figure>{plot}</figure>" for plot in plots)
    grid = f'<div class="curves">{figures}</div>'
    return paragraphs(said) + Markup(grid) + table(ESTIMATES, words.estimates(found), {0, 2, 3, 4})


def _megabytes(known: Estimates) -> Callable[[float], Interval]:
    return lambda rows: Interval(*(amount / 1e6 for amount in known.memory.at(rows)))


def _checks(found: Scope) -> str:
    if not found.checks:
        return sections.empty("Nothing was checked.")
    return table(CHECKS, words.checks(found), numbers={1})
