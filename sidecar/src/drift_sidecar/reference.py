"""The reference: a bundle's baseline and sample, fetched, verified and decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop_contracts import baseline as contract
from driftloop_contracts import bundle
from driftloop_contracts.baseline import Baseline
from driftloop_contracts.bundle import BASELINE, REFERENCE
from driftloop_contracts.category import text
from driftloop_contracts.errors import BundleRefused
from driftloop_contracts.object_store import ObjectStore

Values = np.ndarray[Any, Any]

KINDS = ("numeric", "categorical")


@dataclass(frozen=True)
class Reference:
    """What windows are compared with.

    ``columns``: by feature, its non-missing reference values: float64 for a numeric feature,
    text for a categorical one.
    """

    baseline: Baseline
    columns: Mapping[str, Values]


def fetch(store: ObjectStore, loop: str, version: str, folder: Path) -> Reference:
    """Return the reference of a bundle, fetched into ``folder`` and verified."""
    bundle.fetch(store, loop, version, folder)
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
    return Reference(baseline, columns)


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
    present = [value for value in column.to_pylist() if value is not None]
    if kind == "categorical":
        return np.array([text(value) for value in present], dtype=object)
    try:
        values: Values = np.array(present, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BundleRefused(f"Bundle {version} has a reference that is no number.") from error
    finite: Values = values[np.isfinite(values)]
    return finite
