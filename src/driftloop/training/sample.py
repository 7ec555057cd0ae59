"""Sample: a fixed number of rows, each as likely as any other, of rows that come in batches.

Each row draws a number and the lowest ones stay, which is a reservoir sample whose batches can be
of any size (Vitter, 1985, is the sequential form; Efraimidis and Spirakis, 2006, this one).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

DRAWN = "__drawn"


class Sample:
    """At most ``size`` rows; ``rng`` draws which."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self._size, self._rng = size, rng
        self._kept: list[pd.DataFrame] = []
        self._highest = 1.0
        self.seen = 0

    @property
    def thinned(self) -> bool:
        """Return whether more rows came than are kept."""
        return self.seen > self._size

    def add(self, rows: pd.DataFrame) -> None:
        """Offer rows to the sample."""
        self.seen += len(rows)
        drawn = self._rng.random(len(rows))
        low = drawn < self._highest
        self._kept.append(rows[low].assign(**{DRAWN: drawn[low]}))
        if sum(map(len, self._kept)) > 2 * self._size:
            self._thin()

    def rows(self) -> pd.DataFrame:
        """Return the sample, in the order in which the rows came."""
        self._thin()
        return self._kept[0].drop(columns=DRAWN).reset_index(drop=True)

    def _thin(self) -> None:
        every = pd.concat(self._kept, ignore_index=True)
        if len(every) > self._size:
            self._highest = float(np.partition(every[DRAWN], self._size)[self._size])
            every = every[every[DRAWN] < self._highest]
        self._kept = [every]


class Latest:
    """The last ``size`` rows of rows in order of time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[pd.DataFrame] = []

    def add(self, rows: pd.DataFrame) -> None:
        """Take later rows."""
        self._kept.append(rows)
        while sum(map(len, self._kept[1:])) >= self._size:
            self._kept.pop(0)

    def rows(self) -> pd.DataFrame:
        """Return the rows in order."""
        return pd.concat(self._kept, ignore_index=True).tail(self._size).reset_index(drop=True)
