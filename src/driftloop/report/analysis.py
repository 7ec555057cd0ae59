"""Analysis: what model development found of a bundle, as tables and sentences of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from driftloop.report import sections, wording
from driftloop.report.table import paragraphs, table

NAMES = {
    "rate": "always the rate",
    "column": "the best single column",
    "rule": "the best rule without ML",
}
FAILS = "Where it fails and what to do next"
Found = Mapping[str, Any]


def latest(found: Found) -> str:
    """Return a run's section of its newest bundle: what it gains and where it fails."""
    if not found:
        return sections.empty("No bundle of this run was analysed.")
    return baselines(found) + failures(found)


def baselines(found: Found) -> str:
    """Return the model beside what takes no machine learning, with intervals."""
    told = found.get("baselines") or {}
    if not told.get("rows"):
        return sections.empty("The bundle was not compared with baselines.")
    rows = [("the judged model", "", *_interval(told.get("model"), 5), wording.NONE)]
    rows += [_baseline(one) for one in told["rows"]]
    columns = [
        "on the held-out rows",
        "how it guesses",
        "loss a row",
        "one-sided 95 % bounds",
        "the model's, relative",
    ]
    return paragraphs([str(told.get("sentence", ""))]) + table(columns, rows, numbers={2, 3, 4})


def _baseline(one: Found) -> tuple[str, str, str, str, str]:
    low, value, high = (f"{100 * float(x):+.2f} %" for x in one.get("difference") or (0, 0, 0))
    name = NAMES.get(str(one.get("name")), str(one.get("name")))
    loss, bounds = _interval(one.get("loss"), 5)
    return name, str(one.get("said", "")), loss, bounds, f"{value} [{low}, {high}]"


def _interval(interval: Sequence[Any] | None, digits: int) -> tuple[str, str]:
    low, value, high = interval or (None, None, None)
    bounds = f"{wording.number(low, digits)} to {wording.number(high, digits)}"
    return wording.number(value, digits), bounds


def failures(found: Found) -> str:
    """Return where the model fails, what kind of error that is, and what to do next."""
    errors = found.get("errors") or {}
    if not errors:
        return sections.empty("The errors of this bundle's model were not analysed.")
    returned = [
        f"The loop goes back to {str(one.get('to')).replace('_', ' ')}: {one.get('reason')}"
        for one in found.get("returned") or ()
    ]
    told = [str(one.get("sentence", "")) for one in found.get("actions") or ()]
    note = str(errors.get("note") or "")
    if not errors.get("failures"):
        none = note or "No part of the held-out rows is surely worse than the others."
        return paragraphs([*returned, none])
    told += [note] if note else []
    columns = [
        "part", "rows", "excess loss a row", "one-sided 95 % bounds", "share of all excess", "kind",
        "gain if repaired",
    ]  # fmt: skip
    rows = [_failure(one) for one in errors["failures"]]
    return paragraphs([*returned, *told]) + table(columns, rows, numbers={1, 2, 3, 4, 6})


def _failure(one: Found) -> tuple[str, ...]:
    excess, bounds = _interval(one.get("excess"), 4)
    return (
        str(one.get("part")),
        wording.number(one.get("rows")),
        excess,
        bounds,
        wording.share(one.get("share")),
        str(one.get("kind")),
        f"{100 * float(one.get('relative') or 0):.1f} %",
    )


def columns(found: Found) -> str:
    """Return each group of columns' importance, and what is suggested of the columns."""
    listed = found.get("importance") or ()
    if not listed:
        return sections.empty("No column's importance was measured.")
    rows = [
        (" and ".join(map(str, one["columns"])), *_percent(one.get("rise") or (0, 0, 0)))
        for one in listed
    ]
    head = ["columns (permuted together)", "loss rises by", "95 % interval"]
    advised = [
        str(one.get("reason"))
        for one in found.get("suggestions") or ()
        if one.get("what") != "keep"
    ]
    return table(head, rows, numbers={1, 2}) + paragraphs(advised)


def _percent(rise: Sequence[float]) -> tuple[str, str]:
    low, value, high = (f"{100 * float(x):+.2f} %" for x in rise)
    return value, f"{low} to {high}"
