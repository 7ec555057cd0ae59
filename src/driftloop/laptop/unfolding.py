"""Unfolding: traffic as the passing of time reveals it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from driftloop.traffic import Traffic
from driftloop_contracts.inference import CATEGORY


class Unfolding:
    """The labels of ``traffic`` as they become known; ``advance`` moves the time forward only.

    Rows are addressed by their position in ``traffic.requests``. ``positives`` holds what is
    known now, ``category`` the class (None where outcomes are none); ``known`` says for which rows
    anything is.
    """

    def __init__(self, traffic: Traffic) -> None:
        self.requests = traffic.requests
        # An outcome of a row that is not replayed (before --from, after --to) has no place here.
        mine = traffic.outcomes[traffic.outcomes["row_id"].isin(self.requests["row_id"])]
        outcomes = mine.sort_values(["known_time", "revision"], kind="stable")
        position = pd.Index(self.requests["row_id"]).get_indexer(outcomes["row_id"])
        self.outcomes = outcomes.assign(position=position).reset_index(drop=True)
        self._times = self.requests["event_time"]
        self._known_times = self.outcomes["known_time"]
        self.positives = np.full(len(self.requests), np.nan)
        self.category: np.ndarray[tuple[int], np.dtype[np.object_]] | None = None
        if CATEGORY in self.outcomes:
            self.category = np.full(len(self.requests), None, dtype=object)
        self._next = 0

    @property
    def known(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return for each request whether its outcome is known."""
        known: np.ndarray[tuple[int], np.dtype[np.bool_]] = ~np.isnan(self.positives)
        return known

    def advance(self, now: pd.Timestamp) -> pd.DataFrame:
        """Take the outcomes known until ``now`` (inclusive) and return those that are new.

        They have their request's ``position``.
        """
        end = int(self._known_times.searchsorted(now, side="right"))
        fresh = self.outcomes.iloc[self._next : end]
        # In order of knowing, so that a later revision overwrites an earlier one.
        self.positives[fresh["position"]] = fresh["positives"]
        if self.category is not None:
            self.category[fresh["position"]] = fresh[CATEGORY]
        self._next = end
        return fresh

    def between(self, start: pd.Timestamp, end: pd.Timestamp) -> slice:
        """Return the positions of the requests with ``start`` <= event_time < ``end``."""
        return slice(
            int(self._times.searchsorted(start, side="left")),
            int(self._times.searchsorted(end, side="left")),
        )

    def labelled(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Return the requests of [start, end) whose outcome is known now, with ``positives``.

        Where outcomes are classes, with ``category`` too.
        """
        span = self.between(start, end)
        rows = self.requests.iloc[span].assign(positives=self.positives[span])
        if self.category is not None:
            rows = rows.assign(**{CATEGORY: self.category[span]})
        return rows[rows["positives"].notna()]
