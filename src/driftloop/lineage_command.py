"""The command ``driftloop lineage``: from a trigger to a bundle's traffic, or back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from driftloop import last_run, usecase
from driftloop import lineage as core
from driftloop_contracts.errors import InvalidInput


def lineage(
    name: Annotated[str, typer.Argument(help="A bundle's version, a Retraining or an event's id.")],
    of: Annotated[str, typer.Option("--usecase", help="Whose last run is read.")] = "ads_ctr",
    run: Annotated[Path | None, typer.Option("--run", help="A run's folder.")] = None,
    events: Annotated[
        Path | None, typer.Option(help="Events a line, such as the controller's log; -: stdin.")
    ] = None,
) -> None:
    """Say what led to a bundle and what became of it, or what an event led to."""
    path = events or (run or last_run.folder(usecase.find(of).name)) / "events.jsonl"
    found = core.trace(name, core.read(_lines(path)))
    if not found:
        allowed = "a version, a Retraining or an event that led to one"
        raise InvalidInput("the name", str(path), allowed, name)
    text = "\n\n".join("\n".join(core.sentences(one)) for one in found)
    sys.stdout.write(text + "\n")


def _lines(path: Path) -> list[str]:
    if str(path) == "-":
        return sys.stdin.read().splitlines()
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        raise InvalidInput("the events", str(path), "a finished run's", "no such file") from None
