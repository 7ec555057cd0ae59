"""The commands ``driftloop labels USECASE votes | queue | import | errors``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from driftloop import clock, parquet, usecase
from driftloop.usecase import Span, UseCase
from driftloop_contracts.errors import InvalidInput

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Vote on labels, review them by hand, and find those that are wrong.",
)

Data = Annotated[Path | None, typer.Option("--data", help="A log; default: the simulator.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the simulator and of every draw.")]
Newest = Annotated[int, typer.Option(min=1, help="How many of the newest rows are looked at.")]
PLAN = ".plan.parquet"


@dataclass(frozen=True)
class Asked:
    """The use case that a command of the group is about."""

    case: UseCase


@app.callback()
def labels(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A use case or its loop's name.")],
) -> None:
    """Vote on labels, review them by hand, and find those that are wrong."""
    context.obj = Asked(usecase.find(name))


@app.command()
def votes(
    context: typer.Context, data: Data = None, seed: Seed = 1, newest: Newest = 50_000
) -> None:
    """Say how each labelling function does, and what the label model makes of them."""
    from driftloop import labels_traffic
    from driftloop.labels import dependence, functions, label_model
    from driftloop.labels import votes as core

    case = _case(context)
    found = labels_traffic.read(case, Span(data, seed=seed), newest)
    said = functions.cast(case.labelling_functions(), found.rows, found.classes)
    model = label_model.fit(said)
    rows = [
        (
            one.voter, f"{one.coverage:.1%}", f"{one.overlap:.1%}", f"{one.conflict:.1%}",
            f"{one.known:,}", _bounds(one.accuracy), f"{accuracy:.1%}",
        )
        for one, accuracy in zip(core.summaries(said, found.codes), model.accuracy(), strict=True)
    ]  # fmt: skip
    headings = ("function", "coverage", "overlap", "conflict", "known", "accuracy", "model says")
    console = Console()
    console.print(_table(f"{case.loop.name}: {len(found.rows):,} rows", headings, rows))
    shares = zip(model.classes, model.prior, strict=True)
    _say(console, ["Classes: " + ", ".join(f"{name} {share:.1%}" for name, share in shares)])
    _say(console, model.notes)
    _say(console, (pair.sentence() for pair in dependence.dependent(said, model)))


@app.command()
def queue(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="The CSV to write.")],
    rows: Annotated[int, typer.Option(min=0, help="Rows; 0: review.rows of loop.yaml.")] = 0,
    data: Data = None,
    seed: Seed = 1,
    newest: Newest = 20_000,
) -> None:
    """Write the rows that people should label, and beside it why each of them is there."""
    from driftloop.labels import review_file, review_queue
    from driftloop.labels.classes import NONE

    case = _case(context)
    wanted, rng = case.loop.spec.data.labelling.review, np.random.default_rng(seed)
    found, p, doubt = _doubts(case, Span(data, seed=seed), newest, rng)
    chosen = review_queue.choose(p, rows or wanted.rows, wanted.random, rng, **doubt)
    place = chosen["position"].to_numpy()
    shown, called = found.rows.iloc[place], np.asarray([*found.classes, None], dtype=object)
    columns = ["event_time", *case.loop.spec.features.entities]
    columns += case.loop.spec.features.names(origin="request")
    ids = shown["row_id"].astype(str).tolist()
    out.write_bytes(
        review_file.dump(ids, shown[[*dict.fromkeys(columns)]], called[p[place].argmax(axis=1)])
    )
    plan = chosen.drop(columns="position").assign(
        prediction_id=ids,
        event_time=shown["event_time"].to_numpy(),
        given=called[found.codes[place]],
        labelled=int((found.codes != NONE).sum()),
    )
    plan["event_time"] = pd.to_datetime(plan["event_time"], utc=True)
    _plan_of(out).write_bytes(parquet.dump(plan))
    _say(Console(), [f"{out}: {len(plan)} of {len(found.rows):,} rows; {_plan_of(out)} says why."])


@app.command(name="import")
def take(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Filled-in CSV files.")],
    out: Annotated[Path, typer.Option("--out", help="Outcomes: .parquet or .jsonl.")],
    plan: Annotated[Path | None, typer.Option(help="Default: the first file's.")] = None,
    known: Annotated[Path | None, typer.Option(help="Earlier outcomes, as parquet.")] = None,
) -> None:
    """Check what people filled in, say how far they agree, and write their labels as outcomes."""
    from driftloop.labels import adjudication, agreement, review_file

    case, console = _case(context), Console()
    if out.suffix not in (".parquet", ".jsonl"):
        raise InvalidInput("--out", "the command", "a .parquet or .jsonl file", str(out))
    planned = _parquet(plan or _plan_of(files[0]))
    classes = case.loop.spec.label_classes
    ids, now = planned["prediction_id"].tolist(), clock.now()
    came = review_file.merged(
        {str(file): review_file.load(file.read_bytes(), ids, classes, now) for file in files}
    )
    counts = (len(came.reviews), len(came.empty), len(came.rejected))
    _say(console, ["{} reviews, {} rows not filled in, {} set aside.".format(*counts)])
    aside = came.rejected[["line", "reason"]].astype(str).to_numpy().tolist()
    if aside:
        console.print(_table("Set aside", ("line", "reason"), aside))
    if came.reviews.empty:
        raise InvalidInput("the reviews", str(files[0]), "one or more", "none")
    _, said = adjudication.votes(came.reviews, classes)
    for one in agreement.of(said, np.random.default_rng(0)) if len(said.voters) > 1 else ():
        who = " and ".join(one.reviewers) if len(one.reviewers) == 2 else "all"
        _say(console, [f"{one.measure} of {who}, {one.rows} rows: {_number(one.value)}"])
    found = adjudication.adjudicate(came.reviews, classes)
    undecided = f"{len(found.undecided)} undecided" if len(found.undecided) else "none undecided"
    _say(console, [f"{len(found.taken)} labels taken by {found.method}, {undecided}."])
    label = case.loop.spec.objective.label
    earlier = None if known is None else _parquet(known)
    named = bool(case.loop.spec.objective.classes)
    reports = adjudication.reports(found.taken, planned, label, classes, earlier, categories=named)
    _write(out, reports)
    _say(console, [f"{out}: {len(reports)} outcomes."])
    _audited(console, case, planned, found.taken)


@app.command()
def errors(
    context: typer.Context,
    data: Data = None,
    top: Annotated[int, typer.Option(min=1, help="Rows that are printed.")] = 20,
    fix: Annotated[int, typer.Option(min=0, help="Say what fixing so many rows gains.")] = 0,
    seed: Seed = 1,
    newest: Newest = 20_000,
) -> None:
    """Print the rows whose label is most suspect, and how many labels are wrong."""
    from driftloop import labels_traffic
    from driftloop.labels import correction
    from driftloop.labels import errors as core

    case, console, rng = _case(context), Console(), np.random.default_rng(seed)
    policy = case.loop.spec.data.labelling
    rows = labels_traffic.joined(case, Span(data, seed=seed), newest)
    p = labels_traffic.probabilities(case, rows, rng)
    found = core.find(rows.codes, p, rows.classes, decidable=policy.decidable)
    listed = found.table(top)
    listed.insert(0, "row", rows.rows["row_id"].iloc[listed["position"]].to_numpy())
    known = not math.isnan(found.rate.estimate)
    cells = [
        (
            str(one.row), str(one.label), str(one.proposed), f"{one.self_confidence:.3f}",
            f"{one.margin:+.3f}", f"{one.wrong:.0%}" if known else "unknown",
        )
        for one in listed.itertuples()
    ]  # fmt: skip
    headings = ("row", "label", "proposed", "p(label)", "margin", "wrong")
    console.print(_table(f"{case.loop.name}: {len(rows.rows):,} labels", headings, cells))
    _say(console, [found.sentence(top)])
    told = core.judge(found.rate, policy.max_errors, len(found.order), "the surest rows")
    _say(console, [f"Back to data engineering: {told.reason}"] if told else [])
    if fix:
        # What judges a correction has no say in it: suspects are sought among earlier rows alone.
        early, entities, fit_and_score = labels_traffic.held_out(case, rows)
        before = labels_traffic.probabilities(case, early, rng)
        own = core.find(early.codes, before, early.classes, decidable=policy.decidable)
        effect = correction.effects(
            fit_and_score, early.codes, own.order, own.proposed, [fix], rng, entities=entities
        )
        _say(console, [effect[0].sentence()])


def _case(context: typer.Context) -> UseCase:
    asked: Asked = context.obj
    return asked.case


def _doubts(
    case: UseCase, span: Span, newest: int, rng: np.random.Generator
) -> tuple[Any, Any, dict[str, Any]]:
    """Return rows, probabilities of their classes, and what tells of doubt beside these.

    By the use case's labelling functions; where it has none by its first estimator, out of fold.
    """
    from driftloop import labels_traffic
    from driftloop.labels import functions, label_model

    if case.has_labelling_functions():
        found = labels_traffic.read(case, span, newest)
        said = functions.cast(case.labelling_functions(), found.rows, found.classes)
        doubt = {"disagreement": said.disagreement()}
        return found, label_model.fit(said).probabilities, doubt
    found = labels_traffic.joined(case, span, newest)
    return found, labels_traffic.probabilities(case, found, rng), {}


def _audited(console: Console, case: UseCase, plan: pd.DataFrame, taken: pd.DataFrame) -> None:
    """Say how many of the labels that rows had are wrong, by the reviews."""
    from driftloop.labels import audit
    from driftloop.labels import errors as core
    from driftloop.labels.review_queue import RANDOM

    both = plan[plan["given"].notna()].merge(taken, left_on="prediction_id", right_on="id")
    if both.empty:
        return
    has_label, is_chosen = plan["given"].notna(), plan["chosen_by"] != RANDOM
    rows, chosen = int(plan["labelled"].iloc[0]), int((has_label & is_chosen).sum())
    by_chance = both["chosen_by"] == RANDOM
    rate = audit.rate(both["label"] != both["given"], by_chance, rows, chosen)
    if math.isnan(rate.estimate):
        return
    _say(console, [f"Of {rows:,} labels {_bounds(rate)} are wrong, by {len(both)} reviews."])
    told = core.judge(rate, case.loop.spec.data.labelling.max_errors, rows, "review")
    _say(console, [f"Back to data engineering: {told.reason}"] if told else [])


def _plan_of(file: Path) -> Path:
    return file.with_name(file.name + PLAN)


def _parquet(path: Path) -> pd.DataFrame:
    return parquet.load(path.read_bytes(), where=str(path))


def _write(out: Path, frame: pd.DataFrame) -> None:
    if out.suffix == ".parquet":
        out.write_bytes(parquet.dump(frame))
    else:
        text: Any = frame.to_json(orient="records", lines=True, date_format="iso", date_unit="us")
        out.write_text(text, encoding="utf-8")


def _bounds(value: Any) -> str:
    if math.isnan(value.estimate):
        return "unknown"
    return f"{value.estimate:.1%} ({value.low:.1%} to {value.high:.1%})"


def _number(value: Any) -> str:
    if math.isnan(value.estimate):
        return "not defined, for all say one class"
    return f"{value.estimate:.2f} ({value.low:.2f} to {value.high:.2f})"


def _say(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _table(title: str, headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(title=escape(title), title_justify="left", box=None)
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*map(escape, row))
    return table
