"""Labelling functions: rules of thumb that vote for a class or abstain.

A use case's labels.py may define ``labelling_functions() -> list[LabellingFunction]``. A function
sees a whole frame and returns one vote a row: a class name, or None (NaN) to abstain. What is
more easily said of one row is wrapped by ``by_row``. No function may look at the label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.labels.classes import Codes, codes, required
from driftloop.labels.votes import Votes
from driftloop_contracts.errors import InvalidInput


@dataclass(frozen=True)
class LabellingFunction:
    """``vote(rows)`` returns a class name or None for each row of a frame, in its order."""

    name: str
    vote: Callable[[pd.DataFrame], Any]


def by_row(name: str, vote: Callable[[Any], str | None]) -> LabellingFunction:
    """Return a labelling function from ``vote(row)``, whose row has the columns as attributes.

    >>> long = by_row("long", lambda row: "spam" if len(row.text) > 3 else None)
    >>> long.vote(pd.DataFrame({"text": ["hi", "win a prize"]}))
    [None, 'spam']
    """
    return LabellingFunction(name, lambda rows: [vote(row) for row in rows.itertuples()])


def cast(
    functions: Sequence[LabellingFunction], rows: pd.DataFrame, classes: Sequence[str]
) -> Votes:
    """Return every function's votes on ``rows``.

    Raise InvalidInput, naming the function, for one that raises, returns another number of votes
    or a vote that is no class; and for no functions, or two of one name.
    """
    names, wanted = [function.name for function in functions], required(classes)
    if not names or len(set(names)) < len(names):
        raise InvalidInput(
            "the labelling functions", "labels.py", "some, of different names", names
        )
    columns = [_votes(function, rows, wanted) for function in functions]
    return Votes(np.stack(columns, axis=1), tuple(names), wanted)


def _votes(function: LabellingFunction, rows: pd.DataFrame, classes: tuple[str, ...]) -> Codes:
    where = f"the labelling function '{function.name}'"
    try:
        found = function.vote(rows.copy(deep=False))
    except Exception as error:  # Anything may be wrong in what a user wrote.
        got = f"{type(error).__name__}: {error}"
        raise InvalidInput("the vote", where, "made without an error", got) from error
    if isinstance(found, str) or not hasattr(found, "__len__") or len(found) != len(rows):
        got = f"{len(found)} of them" if hasattr(found, "__len__") else found
        got = found if isinstance(found, str) else got
        raise InvalidInput("the votes", where, f"one for each of {len(rows)} rows", got)
    return codes(_flat(found), classes, where)


def _flat(found: Any) -> Any:
    """Return votes as objects in their order, whatever sequence or index they came in."""
    flat = np.empty(len(found), dtype=object)
    flat[:] = list(found)
    return flat
