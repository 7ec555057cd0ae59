"""Streamed ingest: records joined with their outcomes, one part of the records at a time.

An outcome comes days after its record, so neither can be read alone by its day. Both are first
laid out in parts by a hash of the prediction's id, as in a partitioned hash join (Kitsuregawa,
Tanaka and Moto-oka, 1983); a part holds all that is known of its records and is joined as a whole
(labels/join.py). Its rows are then laid out by day, and days put in order. Held at once: a file of
the archive, a part, and a day.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from driftloop import parquet
from driftloop.batches import Rows, Writer
from driftloop.labels import join as labels
from driftloop.labels import outcomes
from driftloop.labels.coverage import Coverage
from driftloop.labels.join import Joined
from driftloop.loop import LearningLoop
from driftloop.quantities import show_duration
from driftloop.spec.data import LabelSource
from driftloop.training import rows as training_rows
from driftloop_contracts.inference import STANDS_FOR

if TYPE_CHECKING:
    from driftloop.archive import Archive
    from driftloop.inference_log import InferenceLog

ROW_BYTES = 3000
"""Of a record with its outcomes while a part is joined."""
MOST_PARTS = 256
DAY = timedelta(days=1)
REPORTS = {"value": pa.float64(), "revision": pa.float64(), "label": pa.string()}


class Ingest:
    """One window's rows, by way of files in ``scratch``; ``memory``: of the whole process."""

    def __init__(self, loop: LearningLoop, cutoff: datetime, memory: int, scratch: Path) -> None:
        self._loop, self._cutoff, self._scratch = loop, cutoff, scratch
        self._start, self._memory = cutoff - loop.spec.training.window, memory
        self._source = loop.spec.label_source
        self._columns: set[str] = set()

    def run(
        self, archive: Archive, log: InferenceLog, kinds: dict[str, pa.DataType], target: Path
    ) -> dict[str, Any]:
        """Write the labelled rows in order of time to ``target``; return what ingest tells."""
        count = self._parts(archive, log)
        self._lay_out("records", self._records(archive, log), count, kinds)
        reports = self._lay_out("reports", self._reports(archive), count, REPORTS)
        coverage = self._join(count)
        training_rows.require_sense(Counter(dict(coverage.rejected)), reports, self._loop)
        rows, impressions = self._in_order(kinds, target)
        training_rows.require_rows(rows, self._loop, self._cutoff)
        return {"rows": rows, "impressions": impressions} | coverage.to_data()

    def _parts(self, archive: Archive, log: InferenceLog) -> int:
        """Return in how many parts the records are joined."""
        days = _days(self._start, self._cutoff)
        rows = sum(map(len, archive.requests_by_file(self._start, self._cutoff)))
        rows += sum(len(log.read(*day, ["prediction_id", "event_time"])) for day in days)
        return int(min(MOST_PARTS, max(1, math.ceil(rows * ROW_BYTES / (self._memory / 4)))))

    def _records(self, archive: Archive, log: InferenceLog) -> Iterator[pd.DataFrame]:
        names = training_rows.wanted(self._loop)
        for rows in archive.requests_by_file(self._start, self._cutoff):
            outcomes.require(rows, training_rows.RECORD_COLUMNS, "the archived requests")
            yield self._complete(rows, names)
        for start, end in _days(self._start, self._cutoff):
            yield self._complete(log.read(start, end, names), names)

    def _complete(self, rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
        """Return all wanted columns, of which older records lack some."""
        self._columns |= set(names) & set(rows)
        numeric = {*self._loop.spec.features.names("numeric", "request"), "weight", STANDS_FOR}
        lacking = {n: np.nan if n in numeric else None for n in names if n not in rows}
        found = rows.assign(**lacking)[names]
        numbers = {n: outcomes.numbers(found[n]) for n in names if n in numeric}
        return found.assign(**numbers)

    def _reports(self, archive: Archive) -> Iterator[pd.DataFrame]:
        for rows in archive.outcomes_by_file(self._start, self._cutoff, self._source.name):
            outcomes.require(rows, outcomes.COLUMNS, "the outcomes")
            counts = {name: outcomes.numbers(rows[name]) for name in ("value", "revision")}
            yield rows[list(outcomes.COLUMNS)].assign(**counts)

    def _lay_out(
        self, kind: str, frames: Iterator[pd.DataFrame], parts: int, kinds: dict[str, pa.DataType]
    ) -> int:
        """Write each row to its id's part; return how many there are."""
        rows = 0
        with ExitStack() as stack:
            sinks = [
                stack.enter_context(Writer(self._scratch / f"{kind}-{part}", kinds))
                for part in range(parts)
            ]
            for frame in frames:
                rows += len(frame)
                places = _part_of(frame["prediction_id"], parts)
                for part in np.unique(places).tolist():
                    sinks[part].write(frame[places == part])
        return rows

    def _join(self, parts: int) -> Coverage:
        """Join every part and lay its rows out by day."""
        found: Coverage | None = None
        source = self._source
        for part in range(parts):
            joined = self._joined(part, source)
            found = joined.coverage if found is None else found + joined.coverage
            # Delays seen in the first part, records by chance, say the maturity for all.
            source = _with_maturity(source, joined.maturity.duration)
            days = joined.rows["event_time"].dt.strftime("%Y-%m-%d")
            for day, rows in joined.rows.groupby(days):
                folder = self._scratch / "days" / str(day)
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{part}.parquet").write_bytes(parquet.dump(rows))
        assert found is not None
        return found

    def _joined(self, part: int, source: LabelSource) -> Joined:
        records = self._part("records", part, training_rows.wanted(self._loop))
        records = records.drop_duplicates("prediction_id", ignore_index=True)
        reports = self._part("reports", part, list(outcomes.COLUMNS))
        kept = records[[name for name in records if name in self._columns or records.empty]]
        return labels.join(kept, reports, source, self._cutoff)

    def _part(self, kind: str, part: int, names: list[str]) -> pd.DataFrame:
        path = self._scratch / f"{kind}-{part}"
        if path.exists():
            return pd.concat(Rows(path).read(names), ignore_index=True)
        times = pd.Series([], dtype="datetime64[us, UTC]")
        empty = {n: times if n.endswith("_time") else pd.Series([], dtype=object) for n in names}
        return pd.DataFrame(empty)

    def _in_order(self, kinds: dict[str, pa.DataType], target: Path) -> tuple[int, float]:
        impressions = 0.0
        with Writer(target, kinds) as sink:
            for folder in sorted((self._scratch / "days").glob("*")):
                files = [path.read_bytes() for path in sorted(folder.iterdir())]
                rows = pd.concat(map(parquet.load, files), ignore_index=True)
                sink.write(rows.sort_values(["event_time", "prediction_id"], ignore_index=True))
                impressions += float(rows["weight"].sum())
        return sink.rows, impressions


def _part_of(ids: pd.Series[Any], parts: int) -> Any:
    texts = ids.astype(str).to_numpy(dtype=object)
    return (pd.util.hash_array(texts, categorize=False) % np.uint64(parts)).astype("int64")


def _with_maturity(source: LabelSource, maturity: timedelta) -> LabelSource:
    found = {"maturity": show_duration(maturity), "name": source.name, "absent": source.absent}
    return LabelSource.model_validate(found)


def _days(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield [start, end) in stretches of a day."""
    while start < end:
        yield start, min(start + DAY, end)
        start += DAY
