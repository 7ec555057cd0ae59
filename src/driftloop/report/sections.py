"""Sections: the report's tables, each with a sentence in its place where there is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from driftloop.report import wording
from driftloop.report.record import Attempt, Run, Summary
from driftloop.report.table import Markup, paragraphs, table
from driftloop_contracts import times

POLICIES = ("never_retrained", "driftloop", "calendar", "retrained_daily")
SHOWN = 2
"""Sentences of evidence that a retraining's row shows before the rest folds away."""


def empty(sentence: str) -> str:
    """Return what stands where a part is missing."""
    return f'<p class="empty">{escape(sentence)}</p>'


def retrainings(run: Run) -> str:
    """Return every retraining with its causes and reasons in full sentences."""
    if not run.attempts:
        return empty("No retraining was opened in this run.")
    columns = ["retraining", "event time", "why it ran", "verdict", "version", "why this verdict"]
    return table(columns, [_retraining(attempt) for attempt in run.attempts], style="stacked")


def _retraining(attempt: Attempt) -> list[str]:
    took, verdict = attempt.wall_seconds, escape(wording.verdict(attempt.verdict))
    told = [wording.day(attempt.time)]
    if took is not None:
        told.append(f"took {wording.duration(took)}")
    return [
        attempt.name,
        paragraphs(told),
        _causes(attempt),
        Markup(f'<span class="verdict {verdict}">{verdict}</span>'),
        _kept(attempt.version or wording.NONE),
        paragraphs(attempt.reasons or ("No reason was recorded.",)),
    ]


def _causes(attempt: Attempt) -> Markup:
    kinds = f"<p><b>{escape(', '.join(attempt.kinds) or 'unknown')}</b></p>"
    first, rest = attempt.evidence[:SHOWN], attempt.evidence[SHOWN:]
    more = (
        f"<details><summary>{len(rest)} more</summary>{paragraphs(rest)}</details>" if rest else ""
    )
    return Markup(kinds + paragraphs(first) + more)


def comparison(summary: Summary) -> str:
    """Return the policies' losses and fits, with what they are compared on."""
    found: dict[str, Any] = summary.get("comparison") or {}
    names = [name for name in POLICIES if name in found]
    if not names:
        return empty("The other retraining policies were not computed for this run.")
    base = (found.get("calendar") or {}).get("log_loss")
    rows = [_policy(name, found, base) for name in names]
    estimator = f" ({found['estimator']})" if found.get("estimator") else ""
    took = summary.get("comparison_seconds")
    lead = (
        f"All policies use the same features, estimator{estimator} and training window and predict "
        "each row before its outcome is known; they differ in when they fit. Lower is better. "
        "In brackets: the 95 % interval over resampled weeks."
        + (f" Computed in {wording.duration(took)}." if took is not None else "")
    )
    columns = ["policy", "log loss (nats per impression)", "fits", "minus calendar"]
    return f"<p class=lead>{escape(lead)}</p>" + table(columns, rows, numbers={1, 2, 3})


def _policy(name: str, found: dict[str, Any], base: float | None) -> list[str]:
    loss, gap = found[name].get("log_loss"), found.get("difference_to_calendar")
    difference = wording.NONE
    if name == "driftloop" and gap:
        low, high = wording.signed(gap["low"]), wording.signed(gap["high"])
        difference = _kept(wording.signed(gap["estimate"]), f"[{low}, {high}]")
    elif name != "calendar" and base is not None and loss is not None:
        difference = wording.signed(loss - base)
    fits = wording.number(found[name].get("fits"))
    return [name.replace("_", " "), wording.number(loss, 5), fits, difference]


def changes(summary: Summary) -> str:
    """Return what a simulator scheduled and how soon each change was found and answered."""
    rows = summary.get("changes") or ()
    if not rows:
        return empty("No change was scheduled: these are not a simulator's data, or a quiet run.")
    columns = ["change", "kind", "begins", "ends", "found", "found after", "new model after"]
    return table(columns, [_scheduled(row) for row in rows], style="stacked") + _truth(summary)


def _scheduled(row: dict[str, Any]) -> list[str]:
    end = row.get("end")
    return [
        str(row["name"]),
        str(row.get("kind", "")),
        _instant(row["start"]),
        _instant(end) if end else "stays",
        "yes" if row.get("detected") else "no",
        _after(row, "detection"),
        _after(row, "promotion"),
    ]


def _after(row: dict[str, Any], what: str) -> str:
    rows, seconds = row.get(f"rows_to_{what}"), row.get(f"seconds_to_{what}")
    if rows is None or seconds is None:
        return "none is due" if what == "promotion" and row.get("kind") == "fault" else wording.NONE
    return f"{wording.number(rows)} rows, {wording.duration(seconds)}"


def _truth(summary: Summary) -> str:
    alarms, quiet = summary.get("false_alarms"), summary.get("quiet_days")
    if alarms is None or quiet is None:
        return ""
    trained = summary.get("trained_on_fault")
    text = f"{wording.plural(alarms, 'false alarm')} on {wording.plural(quiet, 'quiet day')}."
    if trained is not None:
        text += f" {wording.plural(trained, 'promoted model')} trained on a broken feature."
    return f"<p class=lead>{escape(text)}</p>"


def periods(summary: Summary) -> str:
    """Return the KPI of each business period."""
    rows = summary.get("kpi") or ()
    if not rows:
        return empty("No outcome matured in this run, so there is no period to show.")
    name = str(summary.get("kpi_name") or "KPI").replace("_", " ")
    columns = ["period", "impressions", "positives", "log loss", "base entropy", name]
    return table(columns, [_period(row) for row in rows], numbers={1, 2, 3, 4, 5})


def _period(row: dict[str, Any]) -> list[str]:
    return [
        _kept(_instant(row["start"]), f"to {_instant(row['end'])}"),
        wording.number(row.get("impressions")),
        wording.number(row.get("positives")),
        wording.number(row.get("log_loss"), 5),
        wording.number(row.get("base_entropy"), 5),
        wording.number(row.get("value"), 4),
    ]


def notes(summary: Summary) -> str:
    """Return what was done to the data before the run."""
    rejected = summary.get("rejected_rows") or 0
    aside = (
        f"{wording.plural(rejected, 'row')} set aside in rejected.parquet with the reason."
        if rejected
        else "No row was rejected."
    )
    items = "".join(f"<li>{escape(str(note))}</li>" for note in [*_notes(summary), aside])
    return f"<ul>{items}</ul>"


def _notes(summary: Summary) -> Sequence[str]:
    return summary.get("notes") or ()


def decisions(summary: Summary) -> str:
    """Return every decision that gave a reason, folded away."""
    rows = [row for row in summary.get("decisions") or () if row.get("reasons")]
    if not rows:
        return empty("No decision was recorded.")
    lines = [
        [_instant(row["event_time"]), str(row.get("trigger", "")), paragraphs(row["reasons"])]
        for row in rows
    ]
    listed = table(["event time", "asked by", "reasons"], lines, style="stacked")
    count = wording.plural(len(rows), "decision")
    return f"<details><summary>{count}, each with its reasons</summary>{listed}</details>"


def _kept(*pieces: str) -> Markup:
    """Return pieces of which none is broken over two lines."""
    return Markup(" ".join(f'<span class="keep">{escape(piece)}</span>' for piece in pieces))


def _instant(text: str) -> str:
    return wording.day(times.from_text(text))
