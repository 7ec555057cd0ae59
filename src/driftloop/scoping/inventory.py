"""Inventory: what data there are: rows, span, freshness, labels and how late they come."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from driftloop import instants
from driftloop.labels.outcomes import require

QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True)
class Inventory:
    """One source: how much there is, how new it is, and what is known of its labels.

    ``age_seconds``: of the newest row, at the time that was asked of (None: not asked);
    ``rate``: of positives among impressions; ``delay_seconds``: by which half, 90 % and 99 % of the
    outcomes were known, of those that are.
    """

    source: str
    rows: int
    impressions: float
    first: str
    last: str
    age_seconds: float | None
    freshness_seconds: float
    labels: int
    positives: float
    rate: float | None
    share_labelled: float
    delay_seconds: tuple[float, ...]
    maturity_seconds: float

    @property
    def is_fresh(self) -> bool | None:
        """Return whether the newest row is as new as promised; None where that was not asked."""
        return None if self.age_seconds is None else self.age_seconds <= self.freshness_seconds

    def to_data(self) -> dict[str, Any]:
        """Return the inventory as JSON has it."""
        return asdict(self) | {"is_fresh": self.is_fresh}


def take(
    source: str,
    requests: pd.DataFrame,
    outcomes: pd.DataFrame,
    labelled: pd.DataFrame,
    *,
    share: float | None = None,
    freshness: timedelta,
    maturity: timedelta,
    now: datetime | None = None,
) -> Inventory:
    """Return the inventory of one source.

    ``requests``: event_time and weight; ``outcomes``: event_time and known_time; ``labelled``: the
    requests whose label is known, with weight and positives; ``share``: of the mature requests that
    have a label (None: as many as ``labelled`` are of ``requests``); ``now``: when freshness is
    asked of.
    """
    require(requests, ("event_time", "weight"), "the requests")
    require(outcomes, ("event_time", "known_time"), "the outcomes")
    require(labelled, ("weight", "positives"), "the labelled rows")
    times = instants.column(requests, "event_time", "the requests")
    delay = (outcomes["known_time"] - outcomes["event_time"]).dt.total_seconds()
    impressions, shown = float(requests["weight"].sum()), float(labelled["weight"].sum())
    positives = float(labelled["positives"].sum())
    return Inventory(
        source=source,
        rows=len(requests),
        impressions=impressions,
        first=f"{times.min():%Y-%m-%d}" if len(times) else "",
        last=f"{times.max():%Y-%m-%d}" if len(times) else "",
        age_seconds=(now - times.max()).total_seconds() if now and len(times) else None,
        freshness_seconds=freshness.total_seconds(),
        labels=len(labelled),
        positives=positives,
        rate=positives / shown if shown else None,
        share_labelled=len(labelled) / max(1, len(requests)) if share is None else share,
        delay_seconds=tuple(float(delay.quantile(q)) for q in QUANTILES) if len(delay) else (),
        maturity_seconds=maturity.total_seconds(),
    )
