"""Classes: how a bundle does on each of its loop's classes, as sections of its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from driftloop.report import document, wording
from driftloop.report.table import paragraphs, table


def sections(told: Mapping[str, Any] | None) -> list[str]:
    """Return what a manifest's ``by_class`` says (evaluation/confusion.py); nothing without one."""
    if not told:
        return []
    names = [str(name) for name in told["classes"]]
    said = (
        f"Right: {_bounded(told['accuracy'])}. Macro-F1: {_bounded(told['macro_f1'])}. "
        "Of the judged model, on the held-out rows; bounds at 95 %, over entities."
    )
    return [
        document.section("By class", paragraphs([said]) + _each(told, names)),
        document.section("Confusion", _matrix(told["confusion"], names)),
    ]


def _each(told: Mapping[str, Any], names: Sequence[str]) -> str:
    came = [sum(row) for row in told["confusion"]]
    rows = [
        (name, wording.number(count), _bounded(told["recall"][name]),
         _bounded(told["precision"][name]))
        for name, count in zip(names, came, strict=True)
    ]  # fmt: skip
    columns = ["class", "impressions", "found (recall)", "right when answered (precision)"]
    return table(columns, rows, numbers={1, 2, 3})


def _matrix(counts: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    rows = [
        (name, *map(wording.number, row)) for name, row in zip(names, counts, strict=True)
    ]  # fmt: skip
    return table(["true class, answered as", *names], rows, numbers={*range(1, len(names) + 1)})


def _bounded(interval: Sequence[float] | None) -> str:
    if not interval:
        return wording.NONE
    low, value, high = map(wording.share, interval)
    return f"{value} ({low} to {high})"
