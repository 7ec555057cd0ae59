"""The inference log: what predictors answered, as the drift sidecars wrote it, by hour.

``inference/<loop>/date=YYYY-MM-DD/hour=HH/*.parquet``: a file holds the records of a window that
began in that hour. A record has its ``prediction_id``, ``event_time``, ``bundle_version``,
``prediction``, ``weight``, entity keys, the features that were served, and for each feature view
``<view>__event_timestamp``, the time of what was looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd

from driftloop import parquet
from driftloop.loop import LearningLoop
from driftloop_contracts.object_store import ObjectStore

DAY = timedelta(days=1)


class InferenceLog:
    """The records of one loop in ``store``; ``window``: the longest that one file covers."""

    def __init__(self, store: ObjectStore, loop_name: str, window: timedelta) -> None:
        self.store, self.window = store, window
        self.prefix = f"inference/{loop_name}/"

    @classmethod
    def of(cls, store: ObjectStore, loop: LearningLoop) -> InferenceLog:
        """Return the log of ``loop``, of whose windows its files are."""
        return cls(store, loop.name, loop.spec.drift.window.min_duration)

    def read(
        self,
        start: datetime,
        end: datetime,
        columns: Sequence[str] | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return the records with ``start`` <= event_time < ``end``, each once, in one order.

        ``columns``: those wanted, of which older records may lack some; ``kinds``: columns that
        all records must have, each numeric, categorical or a time; files without are skipped.
        Of two records with one prediction_id, as a client can make by sending an id again, the
        first counts.
        """
        # A record that came late lies in the window that was open then.
        days = _days(start - self.window, end + self.window)
        contents = (self.store.get(key) for day in days for key in self._keys(day))
        wanted = (c for c in contents if kinds is None or kinds.items() <= parquet.kinds(c).items())
        frames = [parquet.load(content, columns) for content in wanted]
        records = pd.concat(frames, ignore_index=True) if frames else _nothing()
        times = records["event_time"]
        records = records[(times >= start) & (times < end)]
        records = records.sort_values(["event_time", "prediction_id"], ignore_index=True)
        return records.drop_duplicates("prediction_id", ignore_index=True)

    def count(self) -> int:
        """Return how many records the log holds."""
        return sum(parquet.rows(self.store.get(key)) for key in self.store.list(self.prefix))

    def oldest_day(self) -> datetime | None:
        """Return the midnight that begins the oldest day in the log, None where it is empty."""
        days = [day for key in self.store.list(self.prefix) if (day := _day(key))]
        return datetime.fromisoformat(min(days)).replace(tzinfo=UTC) if days else None

    def newest(self, before: datetime | None = None) -> datetime | None:
        """Return the newest event time in the log, of those before a time if one is given."""
        days: dict[str, list[str]] = {}
        for key in self.store.list(self.prefix):
            if before is None or _day(key) <= f"{before:%Y-%m-%d}":
                days.setdefault(_day(key), []).append(key)
        for day in sorted(days, reverse=True):
            frames = [parquet.load(self.store.get(key), ["event_time"]) for key in days[day]]
            times = pd.concat(frames)["event_time"]
            times = times if before is None else times[times < before]
            if len(times):
                found: datetime = times.max().to_pydatetime()
                return found
        return None

    def _keys(self, day: str) -> list[str]:
        return self.store.list(f"{self.prefix}date={day}/")


def _days(start: datetime, end: datetime) -> Iterator[str]:
    day = start.date()
    while day <= end.date():
        yield day.isoformat()
        day += DAY


def _day(key: str) -> str:
    return key.partition("/date=")[2][:10]


def _nothing() -> pd.DataFrame:
    empty = pd.Series([], dtype="datetime64[us, UTC]")
    return pd.DataFrame({"prediction_id": pd.Series([], dtype=str), "event_time": empty})
