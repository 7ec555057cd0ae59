"""The drift baseline of a bundle: how the sidecar windows traffic and when it says drift.

The rule for one feature of one window, all numbers fixed when the bundle was built:

    shift  when  p < level  and  effect >= threshold
    fault  when  missing > max_missing, a value lies outside [low, high] in more than
           max_missing of the rows, or a feature that varied in the reference stands still

``effect`` is the Kolmogorov-Smirnov distance (numeric) or the total variation distance
(categorical), both in [0, 1]. ``threshold`` is the larger of the minimum effect worth a
retraining and the calibrated bound on what quiet windows show.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from driftloop_contracts.errors import BundleRefused


@dataclass(frozen=True)
class FeatureBaseline:
    """One monitored feature: its kind, its threshold and what its contract allows.

    ``categories``: the reference's values of a categorical feature; ``low`` and ``high``: the
    contract's range of a numeric one (None: unbounded); ``max_missing``: a share in [0, 1];
    ``varies``: the feature took more than one value in nearly every reference window.
    """

    name: str
    kind: str
    threshold: float
    max_missing: float
    varies: bool
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Baseline:
    """What the sidecar needs beside the reference sample.

    ``window_seconds``: length of a tumbling window on the event-time grid; ``min_rows``: a
    window with fewer is carried into the next; ``level``: significance level of one test;
    ``unmonitored``: name and kind of the features that are logged but not tested.
    """

    loop: str
    window_seconds: int
    min_rows: int
    level: float
    features: tuple[FeatureBaseline, ...]
    unmonitored: tuple[tuple[str, str], ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        """Return the kind of every feature that a record holds."""
        return {f.name: f.kind for f in self.features} | dict(self.unmonitored)

    def to_json(self) -> bytes:
        """Return the baseline as the bundle stores it."""
        return json.dumps(asdict(self), sort_keys=True, indent=1, allow_nan=False).encode()


def from_json(content: bytes) -> Baseline:
    """Return the baseline in ``content``; raise BundleRefused when it is not one."""
    try:
        data: dict[str, Any] = json.loads(content)
        features = tuple(_feature(feature) for feature in data.pop("features"))
        unmonitored = tuple((str(name), str(kind)) for name, kind in data.pop("unmonitored", ()))
        return Baseline(**data, features=features, unmonitored=unmonitored)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BundleRefused(f"The drift baseline cannot be read: {error}.") from error


def _feature(data: Mapping[str, Any]) -> FeatureBaseline:
    return FeatureBaseline(**{**data, "categories": tuple(data["categories"])})


def total_variation(first: Mapping[str, int], second: Mapping[str, int]) -> float:
    """Return half the sum of absolute differences of two count tables' shares, in [0, 1].

    >>> total_variation({"a": 1, "b": 1}, {"a": 2})
    0.5
    """
    n, m = sum(first.values()), sum(second.values())
    if not n or not m:
        return 0.0
    keys = {*first, *second}
    return sum(abs(first.get(key, 0) / n - second.get(key, 0) / m) for key in keys) / 2
