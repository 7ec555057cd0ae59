"""Tally: what a contract asks of all rows together, counted batch by batch."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from driftloop.loop import LearningLoop
from driftloop.spec.features import Column
from driftloop_contracts.errors import InvalidInput


class Tally:
    """Counts of good rows, of bad ones by reason, and of values that good rows lack."""

    def __init__(self) -> None:
        self.good = 0
        self.reasons: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()

    @property
    def bad(self) -> int:
        """Return how many rows were bad."""
        return self.reasons.total()

    def add(self, good: pd.DataFrame, bad: pd.DataFrame, loop: LearningLoop) -> None:
        """Count a batch; ``bad`` rows have a ``reason``."""
        self.good += len(good)
        self.reasons.update(bad["reason"])
        for column in request_columns(loop):
            self.missing[column.name] += int(good[column.name].isna().sum())

    def reject(self, reasons: pd.Series[str]) -> None:
        """Count rows that were set aside before, each with its reason."""
        self.reasons.update(reasons)

    def require(self, loop: LearningLoop) -> None:
        """Raise InvalidInput for too many bad rows, too few good ones, or too many gaps."""
        where, allowed = f"loop {loop.name}", loop.spec.data.max_rejected
        every = self.good + self.bad
        if self.bad > allowed * every:
            got = f"{self.bad / every:.1%}, mostly: {most(self.reasons)}"
            raise InvalidInput("bad rows", where, f"at most {allowed:.1%}", got)
        least = loop.spec.training.min_rows
        if self.good < least:
            what = "the training window"
            raise InvalidInput(what, where, f"at least {least} rows", self.good)
        for column in request_columns(loop):
            self._require_present(column)

    def _require_present(self, column: Column) -> None:
        missing = self.missing[column.name] / self.good
        if missing > column.max_missing:
            allowed = f"missing in at most {column.max_missing:.1%} of the rows"
            raise InvalidInput(
                f"column '{column.name}'", "the training rows", allowed, f"{missing:.1%}"
            )


def most(reasons: Counter[str]) -> str:
    """Return the most frequent reason, the first by name of equals.

    >>> most(Counter({"b": 2, "a": 2, "c": 1}))
    'a'
    """
    return max(sorted(reasons), key=lambda reason: reasons[reason])


def request_columns(loop: LearningLoop) -> list[Column]:
    """Return the columns that a caller sends."""
    return [column for column in loop.spec.features.columns if column.origin == "request"]
