"""Scoring: one window against the reference.

The rule (driftloop_contracts/drift/verdict.py) judges what was counted of every row. Alibi
Detect measures a sample of them beside it: Kolmogorov-Smirnov and chi-square by TabularDrift,
Fisher's exact test by FETDrift on missing values, a classifier on all features together. Its
p-values take every row for independent; they are told, and stored, and the verdict is not theirs
except for the classifier's, whose rows are thinned until they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from alibi_detect.cd import FETDrift, TabularDrift

from drift_sidecar import joint
from drift_sidecar.joint import Joint
from drift_sidecar.reference import Reference
from drift_sidecar.window import Window
from driftloop_contracts.baseline import FeatureBaseline
from driftloop_contracts.drift import learned
from driftloop_contracts.drift.finding import PREDICTION_NAME, Finding
from driftloop_contracts.drift.learned import Learned
from driftloop_contracts.drift.observed import Observed
from driftloop_contracts.drift.served import Served

Values = np.ndarray[Any, Any]
_TYPES = {"numeric": pa.float64(), "categorical": pa.string()}

SEED = 20121231
"""Of what is drawn by weight."""


@dataclass(frozen=True)
class Measured:
    """What one of Alibi Detect's detectors says of a sample: its own distance and p-value."""

    detector: str
    statistic: float
    p_value: float


@dataclass(frozen=True)
class Scored:
    """A window's findings, the level they were judged at, and the detectors' own results.

    ``served``: its predictions, where they are watched; ``is_learning``: whether what to expect
    of them is not known yet.
    """

    level: float
    observed: list[Observed]
    findings: list[Finding]
    measured: dict[str, list[Measured]]
    joint: Joint | None = None
    served: Served | None = None
    is_learning: bool = False

    @property
    def is_joint_shift(self) -> bool:
        """Return whether the features together changed; a broken one would be told apart first."""
        is_whole = not any(f.fault for f in self.findings if f.name != PREDICTION_NAME)
        return is_whole and self.joint is not None and self.joint.shift(self.level)

    def after(self, known: Learned, window: Window) -> Learned:
        """Return what is known of predictions after this window, ``known`` before it."""
        at = window.start, window.end
        return known.after(self.served, *at, self.findings, self.is_joint_shift)


class Scorer:
    """Judges windows; safe to use again and again."""

    def __init__(self, reference: Reference) -> None:
        self._reference, self._baseline = reference, reference.baseline
        self._kinds = {feature.name: feature.kind for feature in reference.features}
        self._design_effect = max(d.design_effect for d in reference.distributions.values())
        self._detectors: dict[tuple[str, tuple[int, ...]], Any] = {}

    def score(self, window: Window, known: Learned | None = None) -> Scored:
        """Return what a window shows; ``known``: of predictions (None: not judged here)."""
        observed, served = window.tallies.observed(), window.tallies.served()
        rules = [one.rule for one in observed] + ([served.rule] if served else [])
        level = self._baseline.level_of(window.end - window.start, rules)
        findings = learned.judge(observed, served, known, level, self._baseline.min_rows)
        sample = _drawn(window)
        weekdays = window.tallies.weekdays
        measured = {
            feature.name: self._measured(feature, sample[feature.name], weekdays)
            for feature in self._reference.features
            if sample is not None
        }
        together = None if sample is None else self._joint(sample, window)
        is_learning = served is not None and known is not None and not known.judges(served)
        return Scored(level, observed, findings, measured, together, served, is_learning)

    def _joint(self, sample: pa.Table, window: Window) -> Joint | None:
        """Return the classifier's result; a single feature has no joint change."""
        features = self._reference.features
        if len(features) < 2:
            return None
        weekdays = window.tallies.weekdays
        usual = {f.name: self._usual(f, weekdays) for f in features}
        drawn = {f.name: _array(sample[f.name], f.kind) for f in features}
        rng = np.random.default_rng([SEED, window.start, 1])
        found = joint.compare(usual, drawn, self._kinds, rng, self._design_effect)
        return found if min(found.rows) >= joint.FEWEST_ROWS else None

    def _measured(
        self, feature: FeatureBaseline, column: pa.ChunkedArray, weekdays: tuple[int, ...]
    ) -> list[Measured]:
        """Return the detectors' results, none where there is nothing to compare."""
        key = feature.name, weekdays
        if key not in self._detectors:
            self._detectors[key] = _Detectors(feature, self._usual(feature, weekdays))
        found: list[Measured] = self._detectors[key].measure(column)
        return found

    def _usual(self, feature: FeatureBaseline, weekdays: tuple[int, ...]) -> Values:
        values, days = self._reference.columns[feature.name], self._reference.weekdays
        return values[np.isin(days, weekdays)] if weekdays and days is not None else values


class _Detectors:
    """Alibi Detect's detectors of one feature."""

    def __init__(self, feature: FeatureBaseline, usual: Values) -> None:
        column = pa.array(usual, _TYPES[feature.kind], from_pandas=True)
        is_text = feature.kind == "categorical"
        self._names = column.drop_null().unique().sort() if is_text else None
        codes = self._codes(column)
        missing = np.isnan(codes)
        present = codes[~missing].reshape(-1, 1)
        kinds: dict[int, None] = {0: None} if self._names is not None else {}
        self._values = TabularDrift(present, categories_per_feature=kinds) if len(present) else None
        self._detector = "TabularDrift/" + ("chi-square" if kinds else "KS")
        gaps = missing.astype(np.int64)
        self._gaps = FETDrift(gaps.reshape(-1, 1), alternative="greater") if len(gaps) else None

    def measure(self, column: pa.ChunkedArray) -> list[Measured]:
        """Return what the detectors say of a window's values."""
        codes = self._codes(column)
        missing, found = np.isnan(codes), []
        if self._values is not None and not missing.all():
            found.append(_asked(self._values, self._detector, codes[~missing]))
        if self._gaps is not None and len(codes):
            found.append(_asked(self._gaps, "FET/missing", missing.astype(np.int64)))
        return found

    def _codes(self, values: pa.Array | pa.ChunkedArray) -> Values:
        """Return floats for Alibi Detect 0.11.4: all unknown categories share one code."""
        if self._names is None:
            numbers: Values = values.to_numpy(zero_copy_only=False)
            return numbers
        unknown = pa.scalar(len(self._names), pa.int32())
        found = pc.fill_null(pc.index_in(values, value_set=self._names), unknown)
        return np.where(pc.is_valid(values), found, np.nan)


def _asked(detector: Any, name: str, values: Values) -> Measured:
    data = detector.predict(values.reshape(-1, 1), drift_type="feature")["data"]
    statistic, p_value = float(data["distance"][0]), float(data["p_val"][0])
    return Measured(name, _finite(statistic, 0.0), _finite(p_value, 1.0))


def _drawn(window: Window) -> pa.Table | None:
    """Return the window's sample; rows of unequal weight are drawn again, by their weights.

    As many as they are worth (Kish), so that the detectors do not take a heavy row for many.
    """
    sample = window.sample.table()
    if sample is None:
        return None
    weights = sample["weight"].to_numpy()
    if not np.ptp(weights) or not weights.sum():
        return sample
    size = max(1, min(sample.num_rows, round(window.tallies.kish)))
    rng = np.random.default_rng([SEED, window.start])
    drawn = rng.choice(sample.num_rows, size, p=weights / weights.sum())
    return sample.take(pa.array(drawn))


def _array(column: pa.ChunkedArray, kind: str) -> Values:
    if kind == "numeric":
        numbers: Values = column.to_numpy()
        return numbers
    return np.array(column.to_pylist(), dtype=object)


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
