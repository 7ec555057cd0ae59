"""Computed: what a use case's ``compute`` must make, said by name where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from driftloop.spec.features import Features
from driftloop_contracts.errors import InvalidInput

TIME = "event_timestamp"


def require(rows: Any, features: Features, where: str) -> dict[str, pd.DataFrame]:
    """Return ``rows``, a frame for each view; raise InvalidInput for what loop.yaml names in vain.

    ``rows``: what ``compute`` gave; ``where``: the file that it is in.
    """
    if not isinstance(rows, Mapping):
        allowed = "a frame of rows for each view"
        raise InvalidInput("what compute() returns", where, allowed, type(rows).__name__)
    for column in features.columns:
        if column.origin == "request":
            continue
        frame = rows.get(column.origin)
        if not isinstance(frame, pd.DataFrame):
            what = f"view '{column.origin}', which loop.yaml names,"
            raise InvalidInput(what, where, "a frame that compute() returns", sorted(rows))
        for name in (column.name, TIME):
            if name not in frame:
                what = f"column '{name}' of view '{column.origin}'"
                raise InvalidInput(what, where, "made by compute()", [*map(str, frame)])
    return dict(rows)
