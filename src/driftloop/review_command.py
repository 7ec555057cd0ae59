"""The command ``driftloop review``: does a loop still earn its keep; continue, pivot or end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from driftloop import last_run, usecase
from driftloop_contracts import times
from driftloop_contracts.object_store import FileStore

BOLD = {"continue": "bold green", "pivot": "bold yellow", "end": "bold red"}


def review(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A use case or its loop's name.")],
    out: Annotated[Path | None, typer.Option("--out", help="A run's folder.")] = None,
    until: Annotated[str, typer.Option(help="Use nothing known later (RFC 3339).")] = "",
) -> None:
    """Say whether a loop still earns its keep, with the evidence, and write it as a page.

    Reads DRIFTLOOP_STORE, or the store of the last run on this machine.
    """
    from driftloop.business import steps

    case = usecase.find(name)
    store = last_run.store(case.name, out)
    end = times.from_text(until, "--until", "the command") if until else None
    found = steps.written(case.loop, store, end)
    console = Console()
    _print(found.record, console)
    page = f"{found.prefix}review.html"
    where = store.root / page if isinstance(store, FileStore) else f"{store.uri}/{page}"
    _say(f"\n{where}", console)


def _print(record: dict[str, Any], console: Console) -> None:
    _say(f"{record['loop']}, objective {record['objective']}", console)
    console.print(_periods(record))
    console.print(record["said"], style=BOLD[record["decision"]], markup=False, highlight=False)
    for sentence in record["evidence"]:
        _say(f"  {sentence}", console)


def _periods(record: dict[str, Any]) -> Table:
    currency = record["currency"]
    money = [f"revenue {currency}", "compute", "labelling", "profit"] if currency else []
    table = Table("period", "rows", str(record["kpi_name"]), "satisfaction", *money, box=None)
    for one in record["periods"]:
        cells = [one["start"][:10] + ("" if one["complete"] else " (not over)"), str(one["rows"])]
        cells += [_between(one["kpi"]), _between(one["satisfaction"])]
        if currency:
            costs = [f"{one[cost]:.2f}" for cost in ("compute_cost", "labelling_cost")]
            cells += [_between(one["revenue"]), *costs, _between(one["profit"])]
        table.add_row(*cells)
    return table


def _between(number: dict[str, Any] | None) -> str:
    if not number or number["value"] is None:
        return "-"
    bounds = (number["low"], number["high"])
    low, high = ("?" if bound is None else f"{bound:.4g}" for bound in bounds)
    return f"{number['value']:.4g} \\[{low}, {high}]"


def _say(text: str, console: Console) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
