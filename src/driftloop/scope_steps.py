"""Scope steps: the table of a process's steps, from a file or from the use case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from driftloop.usecase import Span, UseCase
from driftloop_contracts.errors import InvalidInput


def find(case: UseCase, span: Span, path: Path | None) -> pd.DataFrame | None:
    """Return the steps in ``path``, else in the file that loop.yaml names, else of data.py.

    None where there are none. Raise InvalidInput for a file that cannot be read.
    """
    named = case.loop.spec.scoping.bottleneck.evidence
    chosen = path or (case.folder / named if named else None)
    return read(chosen) if chosen else case.steps(span)


def read(path: Path) -> pd.DataFrame:
    """Return the table in a CSV or parquet file, its times in UTC."""
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except FileNotFoundError:
        raise InvalidInput("the table of steps", str(path), "an existing file", "none") from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        allowed = "a CSV or parquet file with a header"
        raise InvalidInput("the table of steps", str(path), allowed, str(error)) from error
    times = {name: _times(table[name], path) for name in ("start", "end") if name in table}
    return table.assign(**times)


def _times(values: pd.Series[Any], path: Path) -> pd.Series[Any]:
    try:
        return pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        allowed = "times such as 2026-01-01T09:00:00Z"
        raise InvalidInput(f"column '{values.name}'", str(path), allowed, str(error)) from error
