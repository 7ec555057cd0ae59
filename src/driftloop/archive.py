"""Archive: a loop's requests, outcomes and feature rows in the object store, by day.

``requests/<loop>/<day asked>.parquet``: what was asked and not logged by a predictor, such as the
time before there was one; ``outcomes/<loop>/<day known>.parquet``: what became of requests, by
prediction_id (labels/outcomes.py says the columns); ``features/<loop>/<view>/<day>.parquet``. A
file appears when its rows are known, so a reader with a cut-off cannot see the future by accident.
Archives of 0.1 say row_id and positives for prediction_id and value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd

from driftloop import instants, parquet
from driftloop.labels import outcomes
from driftloop_contracts.object_store import FileStore, ObjectStore

EVENT, CREATED = "event_timestamp", "created_timestamp"
"""When a feature row holds and when it was written; features.py names both to Feast."""
TIMES = {"requests": ("event_time",), "outcomes": ("event_time", "known_time")}
NUMBERS = {"requests": ("weight",), "outcomes": ("value", "revision")}
NAMES = {"row_id": "prediction_id", "positives": "value"}


class Archive:
    """What one loop saw, in ``store``."""

    def __init__(self, store: ObjectStore, loop_name: str) -> None:
        self.store, self.loop_name = store, loop_name
        self._known: dict[str, bool] = {}

    def put(self, kind: str, day: str, frame: pd.DataFrame) -> None:
        """Write the rows of one day; ``kind`` is requests, outcomes or features/<view>."""
        self.store.put(f"{self._prefix(kind)}{day}.parquet", parquet.dump(frame))

    def put_features(self, view: str, now: datetime, rows: pd.DataFrame) -> None:
        """Write a view's feature rows that are known from ``now`` on."""
        known = pd.Series(pd.Timestamp(now), rows.index).astype("datetime64[us, UTC]")
        self.put(f"features/{view}", f"{now:%Y-%m-%d}", rows.assign(**{CREATED: known}))

    def requests(self, start: datetime, end: datetime) -> pd.DataFrame:
        """Return the requests with ``start`` <= event_time < ``end``, in order of time."""
        return _together(self.requests_by_file(start, end), "requests")

    def requests_by_file(self, start: datetime, end: datetime) -> Iterator[pd.DataFrame]:
        """Yield the same rows, those of one file at a time."""
        for rows in self._read("requests", start, end):
            times = rows["event_time"]
            yield rows[(times >= start) & (times < end)].reset_index(drop=True)

    def outcomes(self, start: datetime, end: datetime, label: str) -> pd.DataFrame:
        """Return the outcomes known from ``start`` to ``end``, both inclusive, or not said when.

        ``label``: that of outcomes which do not say theirs.
        """
        return _together(self.outcomes_by_file(start, end, label), "outcomes", label=label)

    def outcomes_by_file(
        self, start: datetime, end: datetime, label: str
    ) -> Iterator[pd.DataFrame]:
        """Yield the same outcomes, those of one file at a time."""
        for rows in self._read("outcomes", start, end, label=label):
            times = rows["known_time"]
            yield rows[~(times < start) & ~(times > end)].reset_index(drop=True)

    def feature_folder(self, scratch: Path) -> Path:
        """Return a local folder with every view's files: ``scratch`` where they are copied.

        A day's file never changes, so only new ones are fetched. Rows of a file that does not
        say when they were written count as known at their event time.
        """
        prefix = f"features/{self.loop_name}/"
        keys = self.store.list(prefix)
        if isinstance(self.store, FileStore) and all(map(self._says_when, keys)):
            return self.store.root / "features" / self.loop_name
        for key in keys:
            target = scratch / key.removeprefix(prefix)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_with_created(self.store.get(key)))
        return scratch

    def _says_when(self, key: str) -> bool:
        """Return whether a file's rows say when they were written; a file never changes."""
        if key not in self._known:
            self._known[key] = not _lacks_created(self.store.get(key))
        return self._known[key]

    def _prefix(self, kind: str) -> str:
        root, _, view = kind.partition("/")
        return f"{root}/{self.loop_name}/{view}/" if view else f"{root}/{self.loop_name}/"

    def _read(
        self, kind: str, start: datetime, end: datetime, **defaults: str
    ) -> Iterator[pd.DataFrame]:
        prefix = self._prefix(kind)
        first, last = f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}"
        keys = [key for key in self.store.list(prefix) if first <= _day(key) <= last]
        return (_sound(self.store.get(key), key, kind, defaults) for key in keys)


def _together(found: Iterator[pd.DataFrame], kind: str, **defaults: str) -> pd.DataFrame:
    frames = list(found) or [_nothing(kind).assign(**defaults)]
    return pd.concat(frames, ignore_index=True)


def _sound(content: bytes, key: str, kind: str, defaults: Mapping[str, str]) -> pd.DataFrame:
    """Return a file's rows under the names of today; raise InvalidInput for unusable times."""
    rows = parquet.load(content, where=key)
    # A column of today's name is what is meant; an older one beside it is the writer's own.
    rows = rows.rename(columns={old: new for old, new in NAMES.items() if new not in rows})
    outcomes.require(rows, ("prediction_id", *TIMES[kind]), key)
    times = {name: instants.column(rows, name, key).dt.tz_convert("UTC") for name in TIMES[kind]}
    ids = rows["prediction_id"].astype(object).map(str, na_action="ignore")
    missing = {name: value for name, value in defaults.items() if name not in rows}
    return rows.assign(prediction_id=ids, **times, **missing)


def _lacks_created(content: bytes) -> bool:
    return {CREATED, EVENT} & parquet.kinds(content).keys() == {EVENT}


def _with_created(content: bytes) -> bytes:
    if not _lacks_created(content):
        return content
    rows = parquet.load(content)
    return parquet.dump(rows.assign(**{CREATED: rows[EVENT]}))


def _day(key: str) -> str:
    return Path(key).stem


def _nothing(kind: str) -> pd.DataFrame:
    time = {name: pd.Series([], dtype="datetime64[us, UTC]") for name in TIMES[kind]}
    numbers = {name: pd.Series([], dtype="float64") for name in NUMBERS[kind]}
    return pd.DataFrame({"prediction_id": pd.Series([], dtype=str), **time, **numbers})
