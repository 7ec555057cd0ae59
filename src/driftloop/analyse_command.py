"""The command ``driftloop analyse``: where a bundle's model fails and what to do next."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from driftloop import last_run, usecase
from driftloop.bundle import newest
from driftloop_contracts.errors import InvalidInput


def analyse(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A use case or its loop's name.")],
    version: Annotated[str, typer.Argument(help="A bundle's version; default: the newest.")] = "",
    run: Annotated[Path | None, typer.Option("--run", help="A run's folder.")] = None,
) -> None:
    """Say where a bundle's model fails, what would gain most, and which columns tell nothing.

    Reads DRIFTLOOP_STORE, or the store of the last run on this machine.
    """
    case = usecase.find(name)
    store, loop = last_run.store(case.name, run), case.loop.name
    with tempfile.TemporaryDirectory() as folder:
        manifest = newest.fetched(store, loop, version, Path(folder))
    wanted, found = manifest.version, manifest.facts.get("analysis")
    if not isinstance(found, Mapping):
        raise InvalidInput("the analysis", f"bundle {wanted}", "present", absent(manifest.facts))
    console = Console(soft_wrap=True)
    for line in lines(wanted, found):
        console.print(line, markup=False, highlight=False)


def absent(facts: Mapping[str, Any]) -> str:
    """Return why the facts of a bundle hold no analysis.

    >>> absent({})
    "an older bundle's facts"
    """
    if facts.get("streamed"):
        return "a bundle made with training.memory, whose rows are not analysed"
    return "an older bundle's facts"


def lines(version: str, found: Mapping[str, Any]) -> list[str]:
    """Return what is printed of a bundle's analysis, what gains most first."""
    compared, errors = found.get("baselines") or {}, found.get("errors") or {}
    told = [str(one["sentence"]) for one in found.get("actions") or ()]
    note = [str(errors["note"])] if errors.get("note") else []
    none = "No part of the held-out rows is surely worse than the others."
    numbered = [f"{number}. {sentence}" for number, sentence in enumerate(told, 1)]
    advised = [one for one in found.get("suggestions") or () if one.get("what") != "keep"]
    back = [f"Back to {one['to']}: {one['reason']}" for one in found.get("returned") or ()]
    columns = [f"- {one['reason']}" for one in advised]
    return [
        f"Bundle {version}. {compared.get('sentence', '')}".rstrip(),
        *back,
        "Where it fails and what to do next:",
        *([*numbered, *note] or [none]),
        *(["Columns to look at:", *columns] if columns else ["No column is under suspicion."]),
    ]
