"""Parity check: logged records replayed against the offline join of their own instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from driftloop.features import parity
from driftloop.features.parity import FeatureParity
from driftloop.instants import MICROSECOND
from driftloop_contracts.errors import RunFailed
from driftloop_contracts.inference import LOOKED_UP

if TYPE_CHECKING:
    from driftloop.adapters.feast_repository import FeatureRepository
    from driftloop.inference_log import InferenceLog

MOST = 200_000
"""Records that are compared at once; of more, so many at equal distances."""


@dataclass(frozen=True)
class Checked:
    """Records of [``start``, ``end``), None without any: how many, and each feature's parity."""

    start: datetime | None
    end: datetime | None
    records: int
    features: list[FeatureParity]

    @property
    def differing(self) -> int:
        """Return how many values differ."""
        return sum(feature.differing for feature in self.features)

    def require(self, tolerance: float) -> None:
        """Raise RunFailed where of a feature more than the share ``tolerance`` differs."""
        worst = max(self.features, key=lambda feature: feature.share, default=None)
        if worst is not None and worst.share > tolerance:
            raise RunFailed(
                f"Served and training values differ: {worst.feature} in {worst.share:.1%} of "
                f"{worst.rows} rows (allowed {tolerance:.1%}), likely {worst.causes[0][0]}. "
                f"First: {worst.example}."
            )

    def to_data(self) -> dict[str, Any]:
        """Return it as a summary carries it."""
        features = [feature.to_data() for feature in self.features]
        values = sum(feature.rows for feature in self.features)
        sums = {"records": self.records, "values": values, "differing": self.differing}
        return sums | {"features": features}


def latest(
    log: InferenceLog,
    repository: FeatureRepository,
    last: timedelta,
    cutoff: datetime | None = None,
) -> Checked:
    """Compare the records of the stretch ``last`` up to the newest one before ``cutoff``."""
    newest = log.newest(cutoff)
    if newest is None:
        return Checked(None, None, 0, [])
    end = newest + MICROSECOND
    return check(log, repository, end - last, end)


def check(
    log: InferenceLog, repository: FeatureRepository, start: datetime, end: datetime
) -> Checked:
    """Compare the records of [``start``, ``end``) with what ``repository`` joins for them."""
    kinds: dict[str, str] = {column.name: column.kind for column in repository.columns}
    kinds |= {f"{column.origin}{LOOKED_UP}": "time" for column in repository.columns}
    # Another bundle may have served other columns, and a log of 0.1 does not say what was looked
    # up: those are nothing to compare.
    records = _spread(log.read(start, end, kinds=kinds))
    if records.empty:
        return Checked(start, end, 0, [])
    joined = repository.joined(records)
    found = parity.compare(records, joined, repository.columns, repository.ttls())
    return Checked(start, end, len(records), found)


def _spread(records: pd.DataFrame) -> pd.DataFrame:
    if len(records) <= MOST:
        return records
    places = np.linspace(0, len(records) - 1, MOST).round().astype("int64")
    return records.iloc[places].reset_index(drop=True)
