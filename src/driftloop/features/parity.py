"""Parity: whether what was served is what training joins at the same instants, by feature."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from driftloop.features import cause
from driftloop.features.cause import Cause, Pair
from driftloop.spec.features import Column
from driftloop_contracts.category import text
from driftloop_contracts.inference import LOOKED_UP

CLOSE = 1e-12
"""Relative difference of two numbers that count as equal: what text makes of them."""


@dataclass(frozen=True)
class Example:
    """The first record that differs, as a person would look it up."""

    prediction_id: str
    event_time: pd.Timestamp
    served: Any
    joined: Any

    def __str__(self) -> str:
        return (
            f"{self.prediction_id} at {self.event_time:%Y-%m-%dT%H:%M:%S}Z: "
            f"served {self.served}, joined {self.joined}"
        )


@dataclass(frozen=True)
class FeatureParity:
    """One feature: ``rows`` compared, how many of them differ and why, the most frequent first."""

    feature: str
    view: str
    rows: int
    causes: tuple[tuple[Cause, int], ...] = ()
    example: Example | None = None

    @property
    def differing(self) -> int:
        """Return how many rows differ."""
        return sum(count for _, count in self.causes)

    @property
    def share(self) -> float:
        """Return the share of rows that differ."""
        return self.differing / self.rows if self.rows else 0.0

    def to_data(self) -> dict[str, Any]:
        """Return it as a summary carries it."""
        return {
            "feature": self.feature,
            "view": self.view,
            "rows": self.rows,
            "differing": self.differing,
            "causes": {str(one): count for one, count in self.causes},
            "example": str(self.example) if self.example else None,
        }


def compare(
    served: pd.DataFrame,
    joined: pd.DataFrame,
    columns: Sequence[Column],
    ttls: Mapping[str, timedelta | None],
) -> list[FeatureParity]:
    """Return each looked-up feature's parity.

    ``served``: records of the inference log; ``joined``: the same records in the same order with
    what training joins. Both have the features and, of each view, ``<view>__event_timestamp``,
    which a log of 0.1 lacks. ``ttls``: of each view.
    """
    return [_of(column, served, joined, ttls[column.origin]) for column in columns]


def _of(
    column: Column, served: pd.DataFrame, joined: pd.DataFrame, ttl: timedelta | None
) -> FeatureParity:
    pair = _pair(column, served, joined, ttl)
    differs = ~_equal(pair)
    rows, name, view = len(served), column.name, column.origin
    if not differs.any():
        return FeatureParity(name, view, rows)
    causes = Counter(cause.of(pair.at(differs))).most_common()
    first = int(np.argmax(differs))
    record = served.iloc[first]
    values = pair.served[first], pair.joined[first]
    example = Example(str(record["prediction_id"]), record["event_time"], *values)
    return FeatureParity(name, view, rows, tuple(causes), example)


def _pair(
    column: Column, served: pd.DataFrame, joined: pd.DataFrame, ttl: timedelta | None
) -> Pair:
    time = f"{column.origin}{LOOKED_UP}"
    return Pair(
        column,
        _values(served[column.name], column),
        _values(joined[column.name], column),
        served.get(time),
        joined[time],
        served["event_time"],
        ttl,
    )


def _values(values: pd.Series[Any], column: Column) -> NDArray[Any]:
    if column.kind == "numeric":
        return values.to_numpy("float64", na_value=np.nan)
    # The log keeps a category as text, whatever it was.
    spelt = values.astype(object).map(text, na_action="ignore")
    return spelt.to_numpy(object)


def _equal(pair: Pair) -> NDArray[np.bool_]:
    both_missing = pd.isna(pair.served) & pd.isna(pair.joined)
    if pair.column.kind == "numeric":
        same = np.isclose(pair.served, pair.joined, rtol=CLOSE, atol=0)
    else:
        same = np.asarray(pair.served == pair.joined, bool)
    found: NDArray[np.bool_] = both_missing | same
    return found
