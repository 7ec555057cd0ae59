"""The views of a request, joined to whichever rows ask for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from driftloop.adapters.feast_asof.job import Times
from driftloop.adapters.feast_asof.retrieval import TOLD
from driftloop.adapters.feast_spark.columns import column
from driftloop.adapters.feast_spark.join import View, event, point_in_time


@dataclass(frozen=True)
class Joined:
    """What is joined, and how; ``unit``: of all its instants."""

    views: Sequence[View]
    cutoff: bool
    unit: str

    @property
    def features(self) -> list[str]:
        """The names asked for, in their order."""
        return [name for view in self.views for _, name in view.features]

    @property
    def events(self) -> list[str]:
        """The columns with the event times of the rows that were joined."""
        return [event(n) for n in range(len(self.views))]

    def to(self, rows: DataFrame, shown: Iterable[str], order: Iterable[str] = ()) -> DataFrame:
        """Return the columns ``shown`` of each of ``rows``, sorted by ``order`` if there is one."""
        found = point_in_time(rows, self.views, self.cutoff)
        by = [column(name).asc_nulls_last() for name in order]
        return (found.orderBy(*by) if by else found).select(*map(column, shown))

    def times(self, result: pa.Table) -> Times:
        """Return the event times of each view in ``result``, in microseconds."""
        scale = 1000 if self.unit == "ns" else 1
        found = [pc.divide(result[name], scale) for name in self.events]
        return {view.name: times for view, times in zip(self.views, found, strict=True)}

    def tell(self, session: SparkSession, result: pa.Table, keys: pa.Table) -> None:
        """Warn of each view of which the cut-off takes many values of ``keys``, in their order."""
        for view, name in zip(self.views, self.events, strict=True):
            missing = keys.filter(pc.is_null(result[name]))
            # Where few have no value, there is nothing to tell; a second join would be in vain.
            if self.cutoff and view.created and len(missing) > TOLD * len(keys):
                lost = _known(session.createDataFrame(missing), view)
                if lost > TOLD * len(keys):
                    _warn(view.name, lost / len(keys))


def _known(rows: DataFrame, view: View) -> int:
    """Return how many of ``rows`` would have a value if there were no cut-off."""
    found = point_in_time(rows, [view], cutoff=False)
    return int(found.filter(column(event(0)).isNotNull()).count())


def _warn(view: str, share: float) -> None:
    warnings.warn(
        f"Feature view '{view}': {share:.1%} of the entity rows have no value, because the rows "
        "that would count were created after their time.",
        stacklevel=2,
    )
