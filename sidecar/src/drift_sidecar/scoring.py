"""Scoring: one window against the reference, feature by feature, with Alibi Detect.

The rule is the contract's (driftloop_contracts/baseline.py). The tests see present values
only: a missing value is its own finding, never a distance. Categories are floats for Alibi
Detect 0.11.4; all categories that the reference lacks share one code.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from alibi_detect.cd import TabularDrift

from drift_sidecar.reference import Reference
from driftloop_contracts.baseline import FeatureBaseline, total_variation

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Finding:
    """What one feature of one window shows.

    ``total``: rows judged; ``n``: those with a value; ``missing`` and ``out_of_range``: rows;
    ``statistic``: Alibi Detect's distance (Kolmogorov-Smirnov, or chi-square);
    ``effect``: the distance that ``threshold`` bounds, in [0, 1]; ``fault``: '', 'missing',
    'out_of_range' or 'stands_still'.
    """

    name: str
    kind: str
    total: int
    n: int
    missing: int
    out_of_range: int
    p_value: float
    statistic: float
    effect: float
    threshold: float
    shift: bool
    fault: str

    def to_data(self) -> dict[str, Any]:
        """Return the finding as an event's JSON data."""
        return asdict(self)

    @property
    def share(self) -> float:
        """Return the share of rows that the fault is about, in [0, 1]."""
        rows = {"missing": self.missing, "out_of_range": self.out_of_range, "stands_still": self.n}
        return rows.get(self.fault, 0) / max(1, self.total)


class Scorer:
    """One detector a feature, made once; ``score`` judges a window's sample."""

    def __init__(self, reference: Reference) -> None:
        baseline = reference.baseline
        self._judges = [
            _Judge(feature, reference.columns[feature.name], baseline.level, baseline.min_rows)
            for feature in baseline.features
        ]

    def score(self, sample: pa.Table) -> list[Finding]:
        """Return one finding a feature; ``sample``: a column each, missing values null."""
        return [judge.judge(sample[judge.feature.name]) for judge in self._judges]


class _Judge:
    """The detector and the contract of one feature."""

    def __init__(
        self, feature: FeatureBaseline, reference: np.ndarray[Any, Any], level: float, min_rows: int
    ) -> None:
        self.feature, self.level, self.min_rows = feature, level, min_rows
        self._names = sorted(set(reference)) if feature.kind == "categorical" else []
        self._set = pa.array(self._names, pa.string())
        encoded = self._encode(pa.array(reference)) if self._names else reference
        self._counts = self._count(encoded)
        self._detector = _detector(encoded, level, bool(self._names))

    def judge(self, column: pa.ChunkedArray) -> Finding:
        present = column.drop_null()
        codes = self._encode(present)
        total, n = len(column), len(present)
        outside = self._outside(codes)
        p_value, statistic, effect = self._compare(codes)
        return Finding(
            name=self.feature.name,
            kind=self.feature.kind,
            total=total,
            n=n,
            missing=total - n,
            out_of_range=outside,
            p_value=p_value,
            statistic=statistic,
            effect=effect,
            threshold=self.feature.threshold,
            shift=p_value < self.level and effect >= self.feature.threshold,
            fault=self._fault(total, present, outside),
        )

    def _encode(self, present: pa.Array | pa.ChunkedArray) -> Floats:
        if self.feature.kind == "categorical":
            codes = pc.index_in(present, value_set=self._set)
            present = pc.fill_null(codes, len(self._names))
        values = present.to_numpy() if len(present) else np.empty(0)
        return np.asarray(values, dtype=np.float64)

    def _count(self, codes: Floats) -> dict[str, int]:
        found, counts = np.unique(codes, return_counts=True)
        return {str(int(code)): int(count) for code, count in zip(found, counts, strict=True)}

    def _compare(self, codes: Floats) -> tuple[float, float, float]:
        """Return p-value, Alibi Detect's distance and the effect; (1, 0, 0) with no data."""
        if self._detector is None or not len(codes):
            return 1.0, 0.0, 0.0
        data = self._detector.predict(codes.reshape(-1, 1), drift_type="feature")["data"]
        p_value, statistic = float(data["p_val"][0]), float(data["distance"][0])
        if self.feature.kind == "numeric":
            return _finite(p_value, 1.0), _finite(statistic, 0.0), _finite(statistic, 0.0)
        effect = total_variation(self._count(codes), self._counts)
        return _finite(p_value, 1.0), _finite(statistic, 0.0), effect

    def _outside(self, values: Floats) -> int:
        if self.feature.kind != "numeric":
            return 0
        low, high = self.feature.low, self.feature.high
        below = values < low if low is not None else np.zeros(len(values), dtype=bool)
        above = values > high if high is not None else np.zeros(len(values), dtype=bool)
        return int((below | above).sum())

    def _fault(self, total: int, present: pa.ChunkedArray, outside: int) -> str:
        allowed = self.feature.max_missing * total
        if total - len(present) > allowed:
            return "missing"
        if outside > allowed:
            return "out_of_range"
        if self.feature.varies and len(present) >= self.min_rows and _constant(present):
            return "stands_still"
        return ""


def _detector(encoded: Floats, level: float, categorical: bool) -> TabularDrift | None:
    """Return the feature's detector, or None when the reference holds no value."""
    if not len(encoded):
        return None
    categories: dict[int, None] = {0: None} if categorical else {}
    return TabularDrift(encoded.reshape(-1, 1), p_val=level, categories_per_feature=categories)


def _constant(present: pa.ChunkedArray) -> bool:
    return bool(pc.count_distinct(present).as_py() == 1)


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
