"""Stages: how often each of the six ran, where to read of it, and how they sent the loop back."""

from __future__ import annotations

from html import escape

from driftloop.report import wording
from driftloop.report.record import Return, Run, Summary
from driftloop.report.sections import empty
from driftloop.report.table import Markup, paragraphs, table
from driftloop.stages.stage import Stage

SECTIONS = {
    Stage.SCOPING: ("", "the charter in loop.yaml"),
    Stage.DATA_ENGINEERING: ("notes", "Notes on the data"),
    Stage.MODEL_DEVELOPMENT: ("retrainings", "Retrainings"),
    Stage.DEPLOYMENT: ("versions", "Model versions"),
    Stage.MONITORING: ("drift", "Drift per feature"),
    Stage.BUSINESS_ANALYSIS: ("periods", "The KPI by period"),
}
"""Of each stage the anchor of its section on the page and what the link is called."""


def section(summary: Summary, run: Run) -> str:
    """Return the six stages and every return from one to an earlier one."""
    columns = [
        "stage",
        "how often it ran",
        "where to read of it",
        "returns sent",
        "returns received",
    ]
    rows = [_row(stage, summary, run) for stage in Stage]
    return table(columns, rows, numbers={3, 4}, style="stacked") + _returns(run)


def _row(stage: Stage, summary: Summary, run: Run) -> list[str]:
    sent, came = ([getattr(one, side) for one in run.returned] for side in ("source", "target"))
    return [
        f"{stage.number} {stage.title}",
        _ran(stage, summary, run),
        _link(*SECTIONS[stage]),
        str(sent.count(stage.value)),
        str(came.count(stage.value)),
    ]


def _ran(stage: Stage, summary: Summary, run: Run) -> str:
    """Return how often a stage ran, in its own unit of work."""
    trained = sum(one.verdict not in ("", "failed") for one in run.attempts)
    promoted = wording.plural(len(run.versions), "promotion")
    rolled_back = wording.plural(_number(summary, "rollbacks"), "rollback")
    reviews = wording.plural(run.reviews, "review")
    said = {
        Stage.SCOPING: "as loop.yaml was applied",
        Stage.DATA_ENGINEERING: wording.plural(len(run.attempts), "training set"),
        Stage.MODEL_DEVELOPMENT: f"{wording.plural(trained, 'candidate')} judged",
        Stage.DEPLOYMENT: f"{promoted}, {rolled_back}",
        Stage.MONITORING: f"{wording.plural(_number(summary, 'windows'), 'window')}, "
        f"{wording.plural(len(run.cohorts), 'cohort')} of outcomes",
        Stage.BUSINESS_ANALYSIS: f"{reviews}, "
        f"{wording.plural(len(summary.get('kpi') or ()), 'period')} of the KPI",
    }
    return said[stage]


def _number(summary: Summary, name: str) -> int:
    return int(summary.get(name) or 0)


def _link(anchor: str, name: str) -> str:
    return Markup(f'<a href="#{anchor}">{escape(name)}</a>') if anchor else name


def _returns(run: Run) -> str:
    if not run.returned:
        return empty("No stage sent the loop back in this run.")
    columns = ["when", "from and to", "rule", "reason"]
    lead = (
        "<p class=lead>How stages sent the loop back to an earlier one, by which rule and why.</p>"
    )
    return lead + table(columns, [_return(one) for one in run.returned], style="stacked")


def _return(one: Return) -> list[str]:
    about = f" ({one.retraining})" if one.retraining else ""
    source, target = (name.replace("_", " ") for name in (one.source, one.target))
    return [
        wording.day(one.time),
        f"{source} → {target}",
        one.rule.replace("_", " "),
        paragraphs([f"{one.reason}{about}"]),
    ]
