"""The command ``driftloop scope``: is this a problem for ML, and what is within reach?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console

from driftloop import clock, scope_steps, settled, usecase
from driftloop.evaluation.difference import finite
from driftloop.traffic import Traffic
from driftloop.usecase import Span, UseCase
from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

if TYPE_CHECKING:
    from driftloop.scoping.bottleneck import Bottleneck
    from driftloop.scoping.inventory import Inventory
    from driftloop.scoping.scope import Scope

NOW = "now"


def scope(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A use case or its loop's name.")],
    data: Annotated[Path | None, typer.Option(help="A log; default: the simulator.")] = None,
    steps: Annotated[Path | None, typer.Option(help="Times of today's process, CSV.")] = None,
    seconds: Annotated[float, typer.Option(help="Time for the sample run's fits.")] = 60.0,
    html: Annotated[Path | None, typer.Option(help="Write a page as well.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The findings as JSON.")] = Path("scope.json"),
    as_of: Annotated[str, typer.Option(help="Ask freshness of this time, or 'now'.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the simulator and all draws.")] = 1,
) -> None:
    """Say whether a use case is one for ML, for a rule, or not yet, with the numbers.

    Fits the first estimator on growing parts of the rows to tell what labels, time and memory it
    takes to reach the charter's target.
    """
    if not 0 < seconds < float("inf"):
        raise InvalidInput("--seconds", "the command", "a number above 0", seconds)
    case, console = usecase.find(name), Console()
    found = _scope(case, Span(data, seed=seed), steps, seconds, _instant(as_of), console)
    from driftloop.report import scope_page, scope_table

    _write(out, json.dumps(_plain(found.to_data()), indent=2, allow_nan=False) + "\n")
    if html:
        _write(html, scope_page.render(found))
    for part in scope_table.tables(found):
        console.print(part)
    console.print(f"{out}" + (f", {html}" if html else ""), markup=False, highlight=False)


def _scope(
    case: UseCase,
    span: Span,
    steps: Path | None,
    seconds: float,
    now: datetime | None,
    console: Console,
) -> Scope:
    from driftloop.scoping import sample_run
    from driftloop.scoping import scope as core
    from driftloop.training import split

    bottleneck = _bottleneck(case, span, steps)
    with console.status("Reading the data"):
        traffic = case.read(span)
        rows, share = settled.in_window(case, traffic)
        inventory = _inventory(case, span, traffic, (rows, share), now)
    with console.status("Joining features as of each row"):
        frame = settled.joined(case, traffic, rows)
    parts = frame, frame
    if len(frame):
        start = split.holdout_start(frame["event_time"], case.loop, None)
        is_late = frame["event_time"] >= start
        parts = frame[~is_late].reset_index(drop=True), frame[is_late].reset_index(drop=True)
    rng = np.random.default_rng(span.seed)

    def run() -> sample_run.SampleRun:
        with console.status(f"Fitting on growing parts of {len(parts[0]):,} rows"):
            return sample_run.sample_run(case, *parts, seconds=seconds, rng=rng)

    return core.scope(
        case.loop, inventory, parts, run, bottleneck=bottleneck, given=case.rules(), rng=rng
    )


def _bottleneck(case: UseCase, span: Span, path: Path | None) -> Bottleneck | None:
    from driftloop.scoping import bottleneck as core

    table = scope_steps.find(case, span, path)
    return None if table is None else core.bottleneck(table, np.random.default_rng(span.seed))


def _inventory(
    case: UseCase,
    span: Span,
    traffic: Traffic,
    labelled: tuple[pd.DataFrame, float],
    now: datetime | None,
) -> Inventory:
    from driftloop.scoping import inventory

    spec = case.loop.spec
    return inventory.take(
        case.source_name(span),
        traffic.requests,
        traffic.outcomes,
        labelled[0],
        share=labelled[1],
        freshness=spec.data.freshness,
        maturity=spec.label_source.maturity,
        now=now,
    )


def _instant(text: str) -> datetime | None:
    if text == NOW:
        return clock.now()
    return times.from_text(text, "--as-of", "the command") if text else None


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return ``value`` as JSON may have it: numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return finite(float(value))
    return int(value) if isinstance(value, np.integer) else value
