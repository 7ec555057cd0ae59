"""Streamed steps: what steps.py does, with no more rows at once than ``training.memory`` holds.

The artifacts are the same parquet files, in row groups, their rows in order of time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from driftloop import batches
from driftloop.batches import Rows, Writer
from driftloop.data.contract import Judged
from driftloop.loop import LearningLoop
from driftloop.training import promises
from driftloop.training import rows as training_rows
from driftloop.training.order import Order
from driftloop.training.sample import Latest, Sample
from driftloop.training.streamed_ingest import Ingest
from driftloop.training.tally import Tally
from driftloop.usecase import UseCase
from driftloop_contracts.drift import measure
from driftloop_contracts.drift.finding import PREDICTION_NAME

if TYPE_CHECKING:
    from driftloop.adapters.feast_repository import FeatureRepository
    from driftloop.archive import Archive
    from driftloop.inference_log import InferenceLog

ROW_BYTES = 700
"""Of one row with its columns in a frame, a text column being the dearest."""
HELD_OUT_BYTES = 512
"""Of the four numbers of a scored row, a quarter of which they and their copies may take."""
JUDGED_BYTES = 2500
"""Of one row at the gate, which makes a table of every category's levels."""
KINDS = {"numeric": pa.float64(), "categorical": pa.string()}


def kinds(loop: LearningLoop) -> dict[str, pa.DataType]:
    """Return Arrow's type of the model's columns, for a batch that knows no value of one."""
    return {column.name: KINDS[column.kind] for column in loop.spec.features.columns}


def ingest(
    loop: LearningLoop, archive: Archive, log: InferenceLog, cutoff: datetime, rows: Path
) -> dict[str, Any]:
    """Write the window's labelled rows to ``rows``."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Ingest(loop, cutoff, loop.spec.training.memory or 0, Path(scratch))
        return work.run(archive, log, kinds(loop), rows)


def validate(
    case: UseCase, work: Order, rows: Path, valid: Path
) -> tuple[dict[str, Any], Judged | None]:
    """Write the rows that keep the contract and are not quarantined to ``valid``.

    Return counts, and what the contract of the rows' source comes to, if it has one. A contract
    that stops the training is for the caller to act on, so bad rows are no failure of their own
    then.
    """
    seen, everything, taken = Tally(), Rows(rows), promises.taken(case.loop, work)
    with Writer(valid, kinds(case.loop)) as sink:
        for batch in everything.read():
            fresh = training_rows.without(batch, work.quarantine)
            if taken:
                fresh, rejected = taken.add(fresh)
                seen.reject(rejected["reason"])
            good, bad = training_rows.screened(fresh, case.loop)
            seen.add(good, bad, case.loop)
            if len(good):
                sink.write(good)
    found = taken.judged() if taken else None
    if not (found and promises.stopping(found, case.loop)):
        seen.require(case.loop)
    quarantined = len(everything) - seen.good - seen.bad
    return {"rows": seen.good, "rejected": seen.bad, "quarantined": quarantined}, found


def join(repository: FeatureRepository, loop: LearningLoop, valid: Path, joined: Path) -> int:
    """Write the rows with their point-in-time features to ``joined``; return how many."""
    with Writer(joined, kinds(loop)) as sink:
        for batch in Rows(valid).read(rows=at_once(loop)):
            sink.write(repository.historical(batch))
    return sink.rows


def at_once(loop: LearningLoop) -> int:
    """Return how many rows a step may hold in a frame and a copy of it."""
    memory = loop.spec.training.memory or 0
    return max(batches.ROWS, memory // 8 // ROW_BYTES)


def evaluate(
    case: UseCase,
    work: Order,
    joined: Path,
    models: Mapping[str, Path],
    start: pd.Timestamp,
    scored: Path,
) -> dict[str, Any]:
    """Write each held-out row's losses to ``scored``.

    Return what evaluated.facts does without its analysis; whether the model says no to everything
    is asked of the scored rows that the gate has room for.
    """
    from driftloop.evaluation import scoring
    from driftloop.training import evaluated

    known, shown = _sums(Rows(joined), start)
    base, loaded, sums = np.array([known / shown]), scoring.load(models), []
    with Writer(scored, kinds(case.loop)) as sink:
        for batch in Rows(joined).read():
            late = batch[batch["event_time"] >= start]
            if len(late):
                losses = scoring.of_loaded(case, late, loaded, base)
                sink.write(losses)
                sums.append(scoring.summed(losses))
    losses = judged(scored, case.loop, np.random.default_rng(work.number))
    told = evaluated.told(case, work, Rows(joined).span()[1], losses, (known, shown))
    return {"metrics": scoring.metrics(pd.concat(sums).sum().to_frame().T, case.loop)} | told


def _sums(rows: Rows, start: pd.Timestamp) -> tuple[float, float]:
    """Return positives and impressions before ``start``."""
    positives = weight = 0.0
    for batch in rows.read(["event_time", "positives", "weight"]):
        early = batch[batch["event_time"] < start]
        positives += float(early["positives"].sum())
        weight += float(early["weight"].sum())
    return positives, weight


@dataclass(frozen=True)
class Drawn:
    """What a bundle is packed from: rows with the released model's answer as PREDICTION_NAME.

    ``sample``: of the reference period's rows, all of them unless ``thinned``; ``latest``: of all
    rows; ``held_out``: time, weight, outcome and ``probability`` of the latest scored ones;
    ``unseen``, ``files``: of classes and texts, as training/served.py has them.
    """

    sample: pd.DataFrame
    latest: pd.DataFrame
    held_out: pd.DataFrame
    thinned: bool
    count: int
    span: tuple[pd.Timestamp, pd.Timestamp]
    unseen: pd.DataFrame | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


def drawn(case: UseCase, model: Any, joined: Path, scored: Path, rng: np.random.Generator) -> Drawn:
    """Return the rows that a bundle is packed from, read in one pass."""
    from driftloop.training import fit

    loop, rows, room = case.loop, Rows(joined), at_once(case.loop) // 2
    span = rows.span()
    since = span[1] - loop.spec.drift.reference.days
    sample = Sample(max(loop.spec.drift.reference.rows, room), rng)
    latest = Latest(min(measure.MOST, room))
    for batch in rows.read():
        sample.add(batch[batch["event_time"] >= since])
        latest.add(batch)

    def answered(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(**{PREDICTION_NAME: fit.predict(case, model, frame)})

    return Drawn(
        answered(sample.rows()),
        answered(latest.rows()),
        _held_out(scored, loop),
        sample.thinned,
        len(rows),
        span,
    )


def _held_out(scored: Path, loop: LearningLoop) -> pd.DataFrame:
    latest = Latest(max(batches.ROWS, (loop.spec.training.memory or 0) // HELD_OUT_BYTES))
    wanted = ["event_time", "positives", "weight", "probability", *loop.spec.gate.slices.columns]
    for batch in Rows(scored).read(wanted):
        latest.add(batch)
    return latest.rows()


def judged(scored: Path, loop: LearningLoop, rng: np.random.Generator) -> pd.DataFrame:
    """Return the scored rows that the gate has room for: all, or those of drawn entities.

    Whole entities are drawn, each as likely as any other, so that the rows of one stay together.
    """
    rows, entity = Rows(scored), loop.spec.gate.entity
    room = max(batches.ROWS, (loop.spec.training.memory or 0) // JUDGED_BYTES)
    if len(rows) <= room:
        return pd.concat(rows.read(), ignore_index=True)
    share, key = room / len(rows), f"{int(rng.integers(2**53)):016d}"
    kept = [batch[_hashed(batch[entity], key) < share] for batch in rows.read()]
    drawn: pd.DataFrame = pd.concat(kept, ignore_index=True)
    return drawn


def _hashed(entities: pd.Series[Any], key: str) -> Any:
    """Return a number from 0 to 1 for each row, the same for all rows of an entity."""
    texts = entities.astype(str).to_numpy(dtype=object)
    return pd.util.hash_array(texts, hash_key=key) / 2.0**64
