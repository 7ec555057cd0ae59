"""The reference: a bundle's baseline and sample, fetched, verified and decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop_contracts import baseline as contract
from driftloop_contracts import bundle
from driftloop_contracts.baseline import Baseline, FeatureBaseline
from driftloop_contracts.bundle import BASELINE, REFERENCE
from driftloop_contracts.category import text
from driftloop_contracts.drift import measure
from driftloop_contracts.drift.distribution import WEEKDAY, Distribution
from driftloop_contracts.errors import BundleRefused
from driftloop_contracts.object_store import ObjectStore
from driftloop_contracts.signature import ANYONE, Trusted

Values = np.ndarray[Any, Any]

KINDS = ("numeric", "categorical")
CAUTIOUS = 4.0
"""Design effect where none was measured: that of numbers whose neighbours correlate by 0.6."""


@dataclass(frozen=True)
class Reference:
    """What windows are compared with.

    ``columns``: by feature, the sample's values: float64 with NaN for a numeric feature, text or
    None for a categorical one; ``distributions``: by feature, what windows are compared with;
    ``weekdays``: of the sample's rows, where weeks matter; ``digest``: of the sample's file.
    """

    baseline: Baseline
    columns: Mapping[str, Values]
    distributions: Mapping[str, Distribution]
    weekdays: Values | None = None
    digest: str = ""

    @property
    def features(self) -> tuple[FeatureBaseline, ...]:
        """Return the features that are tested."""
        return self.baseline.features

    @property
    def predictions(self) -> FeatureBaseline | None:
        """Return what is known of the predictions, where the bundle says how to count them."""
        own = self.baseline.predictions
        return own if own is not None and own.distribution is not None else None


def fetch(
    store: ObjectStore, loop: str, version: str, folder: Path, trusted: Trusted = ANYONE
) -> Reference:
    """Return the reference of a bundle, fetched into ``folder`` and verified."""
    bundle.fetch(store, loop, version, folder, trusted)
    return read(folder, loop, version)


def read(folder: Path, loop: str, version: str) -> Reference:
    """Return the reference in a verified bundle's folder; raise BundleRefused otherwise."""
    try:
        baseline = contract.from_json((folder / BASELINE).read_bytes())
        table = pq.read_table(folder / REFERENCE)
    except (OSError, pa.ArrowException) as error:
        raise BundleRefused(f"Bundle {version} has no readable reference: {error}.") from error
    fault = _fault(baseline, loop, set(table.column_names))
    if fault:
        raise BundleRefused(f"The drift baseline of bundle {version} {fault}.")
    columns = {f.name: _values(table[f.name], f.kind, version) for f in baseline.features}
    weekdays = table[WEEKDAY].to_numpy() if WEEKDAY in table.column_names else None
    known = {f.name: f.distribution or measured(f, columns[f.name]) for f in baseline.features}
    content = bundle.digest((folder / REFERENCE).read_bytes())
    return Reference(_judged_as_now(baseline), columns, known, weekdays, content)


def measured(feature: FeatureBaseline, values: Values) -> Distribution:
    """Return the distribution of a sample that a bundle of release 0.1 left uncounted.

    Its rows have no order, so how much they depend on each other is not to be seen.
    """
    count = len(values)
    places, ones = np.arange(count), np.ones(count)
    rows = measure.Rows(places, ones, places * 0, ones > 0, False, count)
    if feature.kind == "categorical":
        found = measure.categorical(list(values), rows)
    else:
        found = measure.numeric(values, rows)
    return replace(found, design_effect=CAUTIOUS, missing_design_effect=CAUTIOUS)


def _judged_as_now(baseline: Baseline) -> Baseline:
    """Return the baseline with thresholds in the effect's unit: in release 0.1 half as large."""
    features = tuple(
        f if f.distribution else replace(f, threshold=2 * f.threshold) for f in baseline.features
    )
    return replace(baseline, features=features)


def _fault(baseline: Baseline, loop: str, columns: set[str]) -> str:
    """Return what makes the baseline unusable, or nothing."""
    names = [feature.name for feature in baseline.features]
    absent = sorted(set(names) - columns)
    odd = [feature.kind for feature in baseline.features if feature.kind not in KINDS]
    faults = {
        f"is of the loop {baseline.loop}": baseline.loop != loop,
        f"has windows of {baseline.window_seconds} s": baseline.window_seconds < 1,
        f"asks for {baseline.min_rows} rows": baseline.min_rows < 1,
        f"has the level {baseline.level}": not 0 < baseline.level < 1,
        "names no feature": not names,
        "names a feature twice": len(set(names)) < len(names),
        f"names features that the reference lacks: {', '.join(absent)}": bool(absent),
        f"has a feature of kind {odd[:1]}": bool(odd),
    }
    return next((sentence for sentence, holds in faults.items() if holds), "")


def _values(column: pa.ChunkedArray, kind: str, version: str) -> Values:
    values = column.to_pylist()
    if kind == "categorical":
        return np.array([None if v is None else text(v) for v in values], dtype=object)
    try:
        numbers: Values = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BundleRefused(f"Bundle {version} has a reference that is no number.") from error
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers
