"""Table: rows of text as HTML, everything escaped; on a narrow screen a row may become a card."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape


class Markup(str):
    """Text that is HTML already; every other text is escaped."""


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
    style: str = "",
) -> str:
    """Return the table; ``numbers``: columns set to the right; ``style``: 'stacked' or 'five'
    makes cards of its rows when narrow. A table that is still too wide scrolls by itself.

    >>> "&lt;b&gt;" in table(["name"], [["<b>"]])
    True
    """
    head = "".join(_cell("th", name, i in numbers) for i, name in enumerate(columns))
    body = "".join(f"<tr>{_row(columns, row, numbers)}</tr>" for row in rows)
    attribute = f' class="{style}"' if style else ""
    listed = f"<table{attribute}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{listed}</div>'


def paragraphs(sentences: Sequence[str]) -> Markup:
    """Return each sentence as a paragraph of its own."""
    return Markup("".join(f"<p>{escape(sentence)}</p>" for sentence in sentences))


def _row(columns: Sequence[str], row: Sequence[str], numbers: Collection[int]) -> str:
    pairs = zip(columns, row, strict=True)
    return "".join(_cell("td", text, i in numbers, name) for i, (name, text) in enumerate(pairs))


def _cell(tag: str, text: str, number: bool, name: str = "") -> str:
    content = text if isinstance(text, Markup) else escape(str(text))
    label = f' data-label="{escape(name)}"' if name else ""
    return f"<{tag}{' class=n' if number else ''}{label}>{content}</{tag}>"
