"""Bundling: a bundle for a model from elsewhere, from rows of a quiet period.

``python -m drift_sidecar baseline ROWS --loop L --version V --store S`` puts the reference, the
rule for each feature and their digests in the store, so that a sidecar can watch any predictor.
A loop's own training does the same with what its loop.yaml says.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drift_sidecar import reference
from drift_sidecar.reference_rows import CATEGORICAL, ReferenceRows
from driftloop_contracts import bundle, signature, times
from driftloop_contracts.baseline import Baseline, FeatureBaseline
from driftloop_contracts.bundle import BASELINE, MANIFEST, REFERENCE, Manifest
from driftloop_contracts.drift import distribution, level, measure
from driftloop_contracts.drift.distribution import DAY, WEEKDAY, Distribution
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import ObjectStore

Values = np.ndarray[Any, Any]

SEED = 20120401
"""Of the rows that are drawn from many."""
MOST_ROWS = 20_000
"""Rows of the reference sample; the counts are of all rows."""
USUALLY = 0.95
"""Share of the windows in which a feature that varies takes more than one value."""


@dataclass(frozen=True)
class Rule:
    """What is promised of the windows: one false alarm in so many days, and when it is worth one.

    ``window_seconds``: the event-time grid's cell; ``min_rows``: of a window; ``min_effect``: as
    Cohen's h; ``max_missing``: share in [0, 1]; ``weekly``: weekdays are compared with weekdays.
    """

    window_seconds: int = 3600
    min_rows: int = 500
    days_per_alarm: float = 90.0
    min_effect: float = 0.05
    max_missing: float = 0.05
    weekly: bool = False

    def __post_init__(self) -> None:
        """Raise InvalidInput for the first number that makes no rule."""
        allowed = {
            "window_seconds": (self.window_seconds >= 1, "a number of seconds from 1 on"),
            "min_rows": (self.min_rows >= 1, "a number of rows from 1 on"),
            "days_per_alarm": (0 < self.days_per_alarm < 1e5, "a number of days in (0, 100000)"),
            "min_effect": (0 < self.min_effect <= np.pi, "Cohen's h, in (0, 3.14]"),
            "max_missing": (0 <= self.max_missing <= 1, "a share in [0, 1]"),
        }
        for name, (is_met, range_) in allowed.items():
            if not is_met:
                option = "--" + name.replace("_", "-")
                raise InvalidInput(option, "the command", range_, getattr(self, name))

    @property
    def alarms_per_second(self) -> float:
        """Return the budget of false alarms."""
        return 1 / (self.days_per_alarm * DAY)


def baseline(rows: ReferenceRows, loop: str, rule: Rule) -> Baseline:
    """Return the baseline that windows are judged by; raise InvalidInput for too few rows."""
    if len(rows) < rule.min_rows:
        raise InvalidInput(
            "the rows", "the file", f"at least --min-rows, {rule.min_rows}", len(rows)
        )
    when = None if rows.seconds is None else _when(rows.seconds, rule)
    features = tuple(_feature(name, rows, when, rule) for name in rows.columns)
    judged = [f.rule(f.distribution) for f in features if f.distribution]
    seconds, budget = rule.window_seconds, rule.alarms_per_second
    found = level.of_window(budget, seconds, judged)
    if not 0 < found < 1:
        raise InvalidInput("--days-per-alarm", "the command", "longer than a window", seconds)
    return Baseline(
        loop, seconds, rule.min_rows, found, features=features, alarms_per_second=budget
    )


def sample(rows: ReferenceRows, known: Baseline, rng: np.random.Generator) -> pa.Table:
    """Return the rows that Alibi Detect compares windows with, drawn at random from many."""
    count = len(rows)
    places = np.sort(rng.choice(count, min(count, MOST_ROWS), replace=False))
    columns = {
        name: pa.array(values[places], pa.string() if kind == CATEGORICAL else pa.float64())
        for (name, values), kind in zip(rows.columns.items(), rows.kinds.values(), strict=True)
    }
    strata = {len(f.distribution.strata) for f in known.features if f.distribution}
    if rows.seconds is not None and max(strata) > 1:
        columns[WEEKDAY] = pa.array(distribution.weekday(rows.seconds[places]))
    return pa.table(columns)


def put(
    store: ObjectStore,
    version: str,
    known: Baseline,
    drawn: pa.Table,
    data_end: datetime,
    signing_key: str = "",
) -> None:
    """Write the bundle, its manifest last; raise InvalidInput where there is that version.

    ``signing_key``: an Ed25519 private key in PEM; without one the bundle is not signed.
    """
    prefix = bundle.key(known.loop, version)
    if store.list(prefix):
        allowed = f"one that loop {known.loop} has no bundle of yet"
        raise InvalidInput("--version", "the command", allowed, version)
    sink = io.BytesIO()
    pq.write_table(drawn, sink)
    files = {REFERENCE: sink.getvalue(), BASELINE: known.to_json()}
    digests = {name: bundle.digest(content) for name, content in files.items()}
    facts = {"reference_rows": drawn.num_rows}
    manifest = Manifest(known.loop, version, times.to_text(data_end), facts, digests)
    told = manifest.to_json()
    if signing_key:
        files[signature.FILE] = signature.sign(told, signing_key)
    for name, content in (files | {MANIFEST: told}).items():
        store.put(prefix + name, content)


def data_end(rows: ReferenceRows, now: datetime) -> datetime:
    """Return when the rows end: ``now`` where they do not say."""
    return now if rows.seconds is None else datetime.fromtimestamp(int(rows.seconds[-1]), UTC)


def _when(seconds: Values, rule: Rule) -> measure.Rows:
    cells, ones = seconds // rule.window_seconds, np.ones(len(seconds))
    usual = int(np.median(np.unique(cells, return_counts=True)[1]))
    longest = max(rule.min_rows, usual)
    return measure.Rows(seconds, ones, cells, ones > 0, rule.weekly, longest)


def _feature(
    name: str, rows: ReferenceRows, when: measure.Rows | None, rule: Rule
) -> FeatureBaseline:
    values, kind = rows.columns[name], rows.kinds[name]
    missing = float(np.mean([v is None or v != v for v in values]))
    cells = np.arange(len(values)) // rule.min_rows if when is None else when.cells
    feature = FeatureBaseline(
        name,
        kind,
        threshold=rule.min_effect,
        max_missing=min(1.0, max(rule.max_missing, 2 * missing)),
        varies=_varying(values, cells) > USUALLY,
    )
    known = reference.measured(feature, values) if when is None else _counted(kind, values, when)
    return replace(feature, categories=known.categories, distribution=known)


def _counted(kind: str, values: Values, when: measure.Rows) -> Distribution:
    if kind == CATEGORICAL:
        return measure.categorical(values, when)
    return measure.numeric(values, when)


def _varying(values: Values, cells: Values) -> float:
    """Return the share of the cells in which there is more than one value."""
    starts = np.flatnonzero(np.diff(cells, prepend=cells[0] - 1))
    parts = np.split(values, starts[1:])
    return float(
        np.mean([len({v for v in part if v is not None and v == v}) > 1 for part in parts])
    )
