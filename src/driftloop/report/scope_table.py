"""Scope table: the findings of scoping on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from driftloop.report import scope_words as words
from driftloop.scoping.scope import Scope

COLOURS = {"ML": "green", "rule": "yellow", "not yet": "red"}
STEPS = ("step", "times", "minutes each", "share of all time", "saved if free")
RULES = ("rule without ML", "says", "loss")
ESTIMATES = ("rows", "", "loss", "CPU time of a fit", "peak memory")
CHECKS = ("charter", "within reach", "why")


def tables(found: Scope) -> Iterator[RenderableType]:
    """Yield what is printed, the verdict last."""
    yield _table(f"{found.loop.name}: charter", (), words.charter(found))
    yield _table("Data", (), words.inventory(found))
    parts = (
        ("Today's process", STEPS, words.steps(found)),
        ("Rules", RULES, words.rules(found)),
        ("Estimates, with 95 % intervals", ESTIMATES, words.estimates(found)),
        ("Reach", CHECKS, words.checks(found)),
    )
    for title, columns, rows in parts:
        if rows:
            yield _table(title, columns, rows)
    yield _verdict(found)


def _table(title: str, columns: Sequence[str], rows: words.Rows) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=bool(columns))
    for name in columns or ("", ""):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text) for text in row))
    return table


def _verdict(found: Scope) -> Text:
    said = found.verdict
    text = Text.assemble("\nVerdict: ", (said.kind, f"bold {COLOURS[said.kind]}"), ". ")
    text.append(f"Condition: {said.condition}.\n")
    for title, sentences in (
        ("", said.reasons),
        ("Missing:\n", said.missing),
        ("What would change it:\n", said.would_change),
    ):
        if sentences:
            text.append(title + "".join(f"  {one}\n" for one in sentences))
    if said.returned:
        text.append(f"The loop goes back to {said.returned.target.value} ({said.returned.rule}).\n")
    return text
