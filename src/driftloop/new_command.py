"""The command ``driftloop new``: a use case to begin with."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from driftloop import usecase


def new(
    name: Annotated[str, typer.Argument(help="As its loop is called, such as ticket-routing.")],
    folder: Annotated[
        Path | None, typer.Option("--in", help="Default: usecases/, or DRIFTLOOP_USECASES.")
    ] = None,
) -> None:
    """Write a use case that runs as it is, for you to change file by file."""
    from driftloop.scaffold import writing

    root = folder or Path(os.environ.get(usecase.FOLDER_VARIABLE, "usecases"))
    written = writing.write(name, root)
    sys.stdout.write(f"{written}: driftloop run {written.name}\n")
