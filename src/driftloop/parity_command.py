"""The command ``driftloop parity``: is what was served what training joins?"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from driftloop import last_run, parity_check, usecase
from driftloop.archive import Archive
from driftloop.features.parity import FeatureParity
from driftloop.inference_log import InferenceLog
from driftloop.parity_check import Checked
from driftloop.quantities import parse_duration, parse_share
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput

Quantity = TypeVar("Quantity", float, timedelta)
NUMBERS = ("rows", "equal", "differing")


def parity(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A use case or its loop's name.")],
    last: Annotated[str, typer.Option(help="How long before the newest record, as 24h.")] = "24h",
    tolerance: Annotated[str, typer.Option(help="What may differ, as 1%.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="A run's folder.")] = None,
) -> None:
    """Replay what was served against what training joins; exit 1 where they differ too much.

    Reads DRIFTLOOP_STORE, or the store of the last run on this machine.
    """
    case = usecase.find(name)
    spec = case.loop.spec.features
    allowed = _quantity("--tolerance", parse_share, tolerance) if tolerance else spec.max_mismatched
    checked = _checked(case, _quantity("--last", parse_duration, last), out)
    Console().print(_table(case, checked))
    checked.require(allowed)


def _quantity(option: str, parse: Callable[[str], Quantity], text: str) -> Quantity:
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidInput(option, "the command", str(error), text) from None


def _checked(case: UseCase, last: timedelta, out: Path | None) -> Checked:
    """Compare what the store's log holds, or raise InvalidInput where that is nothing."""
    store = last_run.store(case.name, out)
    # Feast takes seconds to import: other commands must not pay for it.
    from driftloop.adapters.feast_repository import FeatureRepository

    with tempfile.TemporaryDirectory() as scratch:
        repository = FeatureRepository(case, Path(scratch))
        repository.apply(Archive(store, case.loop.name).feature_folder(Path(scratch) / "offline"))
        checked = parity_check.latest(InferenceLog.of(store, case.loop), repository, last)
    if not checked.records:
        raise InvalidInput("the inference log", store.uri, "records of this loop", "none")
    return checked


def _table(case: UseCase, checked: Checked) -> Table:
    title = f"{case.loop.name}: {checked.records:,} records until {checked.end:%Y-%m-%dT%H:%M}Z"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("feature", "rows", "equal", "differing", "first that differs", "likely cause"):
        table.add_column(heading, justify="right" if heading in NUMBERS else "left")
    for feature in checked.features:
        table.add_row(*_row(feature))
    return table


def _row(feature: FeatureParity) -> list[str]:
    equal, cause = feature.rows - feature.differing, ""
    for reason, count in feature.causes:
        cause += f"{reason} ({count:,})\n"
    counts = [f"{count:,}" for count in (feature.rows, equal, feature.differing)]
    return [feature.feature, *counts, str(feature.example or ""), cause.rstrip()]
