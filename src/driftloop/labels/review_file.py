"""Review file: the queue as CSV for a spreadsheet, and what people filled in.

A cell that a spreadsheet would take for a formula is written with an apostrophe before it, as
OWASP advises against CSV injection, and read without. Nothing in a file that comes back is lost: a
row is a review, not yet filled in, or set aside with its line and the reason.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from driftloop.labels.review_queue import WHERE as QUEUE
from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet may run, and the apostrophe itself."""
ID, PROPOSED, LABEL, REVIEWER, TIME = "id", "proposed", "label", "reviewer", "reviewed_time"
OURS = (ID, PROPOSED, LABEL, REVIEWER, TIME)
NEEDED = (ID, LABEL, REVIEWER)
REVIEW = [ID, LABEL, REVIEWER, "known_time", "line"]
WHERE = "the review file"
LARGEST_CELL = 1 << 24


@dataclass(frozen=True, eq=False)
class Reviews:
    """What came back: ``rows`` = reviews + empty + set aside.

    ``reviews``: id, label, reviewer, known_time (UTC) and line; ``empty``: lines without a label;
    ``rejected``: line, reason and the row's ``content``.
    """

    reviews: pd.DataFrame
    empty: tuple[int, ...]
    rejected: pd.DataFrame
    rows: int


def dump(ids: Sequence[str], columns: pd.DataFrame, proposed: Sequence[str]) -> bytes:
    """Return the queue as CSV: id, ``columns``, proposed label, and what a person fills in.

    Raise InvalidInput for a column that has a name of the file's own, and for an id that is empty
    or there twice.
    """
    taken = [name for name in columns if str(name) in OURS]
    if taken:
        raise InvalidInput(f"column '{taken[0]}'", QUEUE, f"none of {list(OURS)}", taken[0])
    if len(set(ids)) < len(ids) or not all(str(one).strip() for one in ids):
        raise InvalidInput("the ids", QUEUE, "there, and unique", "empty or double ones")
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([ID, *map(escaped, columns), *OURS[1:]])
    for one, row, guess in zip(ids, columns.itertuples(index=False), proposed, strict=True):
        writer.writerow([escaped(one), *map(escaped, row), escaped(guess), "", "", ""])
    # With a mark of the encoding, or spreadsheets garble every accent.
    return sink.getvalue().encode("utf-8-sig", errors="backslashreplace")


def escaped(value: Any) -> str:
    """Return a cell that no spreadsheet runs.

    >>> escaped("=1+1"), escaped(-0.5), escaped("it's"), escaped("'=")
    ("'=1+1", '-0.5', "it's", "''=")
    """
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    text = str(value).replace("\0", "")
    if isinstance(value, int | float):
        return text
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def plain(cell: str) -> str:
    """Return what a cell said before ``escaped``.

    >>> [plain(escaped(text)) for text in ("=1+1", "''", "- no", "it's")]
    ['=1+1', "''", '- no', "it's"]
    """
    inside = cell[1:] if cell.startswith("'") else ""
    return inside if inside.lstrip(" ").startswith(FORMULA) else cell


def load(content: bytes, ids: Iterable[str], classes: Sequence[str], now: datetime) -> Reviews:
    """Return the reviews in CSV that came back; ``ids``: of the rows that may be reviewed.

    ``now``: when a review without its own ``reviewed_time`` became known; none is from later. A
    person's second word on a row is set aside where it repeats the first, and both are where they
    differ. Raise InvalidInput for content that is no such CSV.
    """
    header, rows = _rows(content)
    known, named = set(ids), {name.casefold(): name for name in classes}
    if len(named) < len(classes):
        named = {name: name for name in classes}
    reviews: list[dict[str, Any]] = []
    empty: list[int] = []
    rejected: list[dict[str, Any]] = []
    for line, cells in rows:
        row = dict(zip(header, map(plain, cells), strict=False))
        reason = f"{len(cells)} cells instead of {len(header)}" if len(cells) != len(header) else ""
        if not reason and not row[LABEL].strip():
            empty.append(line)
            continue
        review: dict[str, Any] = {}
        if not reason:
            review, reason = _review(row, line, known, named, now)
        if reason:
            rejected.append({"line": line, "reason": reason, "content": ",".join(cells)})
        else:
            reviews.append(review)
    kept, repeated = _once(reviews)
    rejected = sorted(rejected + repeated, key=lambda one: one["line"])
    frame = pd.DataFrame(kept, columns=REVIEW).astype({"known_time": "datetime64[us, UTC]"})
    aside = pd.DataFrame(rejected, columns=["line", "reason", "content"])
    return Reviews(frame, tuple(empty), aside, len(rows))


def merged(files: Mapping[str, Reviews]) -> Reviews:
    """Return what came back in several files, by the same rules as within one.

    Reasons name the file where there are several.
    """
    reviews: list[dict[str, Any]] = []
    aside = []
    for name, came in files.items():
        reviews += [dict(zip(REVIEW, row, strict=True)) for row in came.reviews[REVIEW].to_numpy()]
        told = came.rejected["reason"] + (f" [{name}]" if len(files) > 1 else "")
        aside.append(came.rejected.assign(reason=told))
    kept, repeated = _once(reviews)
    frame = pd.DataFrame(kept, columns=REVIEW).astype({"known_time": "datetime64[us, UTC]"})
    aside.append(pd.DataFrame(repeated, columns=["line", "reason", "content"]))
    return Reviews(
        frame,
        tuple(line for came in files.values() for line in came.empty),
        pd.concat(aside, ignore_index=True),
        sum(came.rows for came in files.values()),
    )


def _review(
    row: dict[str, str], line: int, known: set[str], named: dict[str, str], now: datetime
) -> tuple[dict[str, Any], str]:
    """Return a row's review, or why it is none."""
    label, reviewer, time = (row.get(name, "").strip() for name in (LABEL, REVIEWER, TIME))
    found = named.get(label) or named.get(label.casefold())
    moment, fault = _moment(time, now)
    if row[ID] not in known:
        return {}, "unknown id (a spreadsheet may have rounded it)"
    if found is None:
        return {}, f"unknown class '{label[:40]}', not one of {list(named.values())}"
    if not reviewer:
        return {}, "no reviewer"
    if fault:
        return {}, fault
    said = (row[ID], found, reviewer, moment, line)
    return dict(zip(REVIEW, said, strict=True)), ""


def _moment(text: str, now: datetime) -> tuple[datetime, str]:
    if not text:
        return now, ""
    try:
        found = times.from_text(text, TIME, WHERE)
    except InvalidInput:
        return now, "a reviewed_time that is not like 2026-01-31T12:00:00Z"
    return (found, "") if found <= now else (now, "a reviewed_time in the future")


def _once(reviews: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return one review of each row by each reviewer, and the others with the reason."""
    by: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for review in reviews:
        by.setdefault((review[ID], review[REVIEWER].casefold()), []).append(review)
    kept, aside = [], []
    spelt: dict[str, str] = {}
    for same in by.values():
        for review in same:  # One person, however the name was typed.
            review[REVIEWER] = spelt.setdefault(review[REVIEWER].casefold(), review[REVIEWER])
        differ = len({review[LABEL] for review in same}) > 1
        kept += [] if differ else same[:1]
        for review in same if differ else same[1:]:
            others = [str(other["line"]) for other in same if other is not review]
            reason = (
                f"{review[REVIEWER]} said another class in line {', '.join(others)}"
                if differ
                else f"the same as line {same[0]['line']}"
            )
            content = ",".join((review[ID], review[LABEL], review[REVIEWER]))
            aside.append({"line": review["line"], "reason": reason, "content": content})
    return kept, aside


def _rows(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and every row that is not blank, with the line it begins in."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("the text", WHERE, "UTF-8", str(error)) from error
    first = text.lstrip("\r\n").split("\n", 1)[0]
    # Where a comma is for decimals, spreadsheets write other separators.
    separator = max((",", ";", "\t"), key=first.count)
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, before = [], 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((before + 1, cells))
            before = reader.line_num
    except csv.Error as error:
        got = f"{error}, from line {before + 1} on"
        raise InvalidInput("the content", WHERE, "CSV with closed quotes", got) from error
    header = [plain(cell.strip()) for cell in rows[0][1]] if rows else []
    for name in NEEDED:
        if header.count(name) != 1:
            got = f"{header.count(name)} in {header}"
            raise InvalidInput(f"column '{name}'", WHERE, "there once", got)
    return header, rows[1:]
