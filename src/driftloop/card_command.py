"""The command ``driftloop card``: one bundle as a page for people."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from driftloop import last_run, usecase
from driftloop.bundle import newest
from driftloop.training import outcome
from driftloop_contracts import baseline, bundle
from driftloop_contracts.object_store import ObjectStore


def card(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A use case or its loop's name.")],
    version: Annotated[str, typer.Argument(help="A bundle's version; default: the newest.")] = "",
    run: Annotated[Path | None, typer.Option("--run", help="A run's folder.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Default: <version>.html.")] = None,
) -> None:
    """Write what a bundle is, how it was judged and what it watches as an HTML page.

    Reads DRIFTLOOP_STORE, or the store of the last run on this machine.
    """
    from driftloop.report import card as page

    case = usecase.find(name)
    store, loop = last_run.store(case.name, run), case.loop.name
    with tempfile.TemporaryDirectory() as folder:
        manifest = newest.fetched(store, loop, version, Path(folder))
        watched = baseline.from_json((Path(folder) / bundle.BASELINE).read_bytes())
    verdict = _verdict(store, loop, str(manifest.facts.get("retraining", "")))
    target = out or Path(f"{manifest.version}.html")
    target.write_text(page.render(asdict(manifest), verdict, watched), encoding="utf-8")
    sys.stdout.write(f"{target}\n")


def _verdict(store: ObjectStore, loop: str, retraining: str) -> Mapping[str, Any]:
    """Return what the gate left, or nothing where it is gone."""
    try:
        found: Mapping[str, Any] = json.loads(store.get(outcome.key(loop, retraining)))
    except (KeyError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
