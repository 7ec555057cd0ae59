"""Story page: chapters, what sent the loop back, and what it costs to overlook it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from driftloop.report import document, story_plot, wording
from driftloop.report.frame import SLIM_FULL, WIDE
from driftloop.report.table import Markup, paragraphs, table
from driftloop.stages.returned import Returned
from driftloop.story.ablation import Ablation
from driftloop.story.acting import Act
from driftloop.story.chapter import Chapter


@dataclass(frozen=True)
class Told:
    """What a story is called, what it is about, its seed and how long it took, in seconds."""

    title: str
    lead: str
    seed: int
    seconds: float


def render(told: Told, whole: Act, without: Sequence[Ablation]) -> str:
    """Return the page of a story; ``without``: the same one with a finding overlooked, each."""
    body = [
        _header(told, whole),
        document.section("The way through the stages", _way(whole)),
        document.section("What sent the loop back", _returns(whole)),
        document.section("With a finding overlooked", _without(whole, without)),
        *(
            document.section(f"{number}. {_heading(chapter)}", _chapter(chapter))
            for number, chapter in enumerate(whole.chapters, 1)
        ),
    ]
    return document.whole(told.title, "".join(body))


def _header(told: Told, whole: Act) -> str:
    facts = [
        ("seed", str(told.seed)),
        ("chapters", str(len(whole.chapters))),
        ("ways back", str(len(whole.returns))),
        ("told in", f"{told.seconds:.0f} s"),
        *((name, wording.number(value, 1)) for name, value in whole.outcome.items()),
    ]
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts
    )
    lead = f"<p class=lead>{escape(told.lead)}</p>"
    return f"<header><h1>{escape(told.title)}</h1>{lead}<dl class=facts>{listed}</dl></header>"


def _way(whole: Act) -> str:
    caption = (
        "Each dot is a stage's turn, from left to right; an orange line is a way back that the "
        "stage found by itself."
    )
    wide, slim = (story_plot.draw(whole.chapters, frame) for frame in (WIDE, SLIM_FULL))
    return (
        f"<figure><figcaption>{caption}</figcaption>"
        f'<div class="wide">{wide}</div><div class="slim">{slim}</div></figure>'
    )


def _returns(whole: Act) -> str:
    if not whole.returns:
        return '<p class="empty">No stage sent the loop back.</p>'
    columns = ["from and to", "rule", "reason"]
    return table(columns, [_return(one) for one in whole.returns], style="stacked")


def _return(one: Returned) -> list[str]:
    way = f"{one.source.title} → {one.target.title.lower()}"
    return [way, one.rule.replace("_", " "), paragraphs([one.reason])]


def _without(whole: Act, without: Sequence[Ablation]) -> str:
    if not without:
        return '<p class="empty">The story was told once, with nothing overlooked.</p>'
    figures = list(whole.outcome)
    rows = [
        ["nothing overlooked", *(wording.number(whole.outcome[figure], 1) for figure in figures)],
        *([_named(one), *(_lost(one, whole, figure) for figure in figures)] for one in without),
    ]
    lead = (
        "<p class=lead>The same world once more, with one finding overlooked each time: what the "
        "loop then comes to, and what that loses.</p>"
    )
    return lead + table(["overlooked", *figures], rows, numbers=range(1, len(figures) + 1))


def _named(one: Ablation) -> str:
    return f"{one.rule.replace('_', ' ')} ({one.stage.title.lower()})"


def _lost(one: Ablation, whole: Act, figure: str) -> Markup:
    value, lost = wording.number(one.act.outcome[figure], 1), one.lost(whole, figure)
    return Markup(f"{escape(value)} ({-lost:+.0%})")


def _heading(chapter: Chapter) -> str:
    return f"{chapter.stage.title}: {chapter.title}"


def _chapter(chapter: Chapter) -> str:
    figures = table(["figure", "value"], [list(pair) for pair in chapter.figures])
    back = chapter.returned
    way = f"<p><b>Back to {escape(back.target.title.lower())}.</b></p>" if back else ""
    day = f"<p class=lead>{wording.day(chapter.time)}</p>"
    return day + paragraphs(chapter.sentences) + (figures if chapter.figures else "") + way
