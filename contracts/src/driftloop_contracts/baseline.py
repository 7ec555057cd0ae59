"""The drift baseline of a bundle: how the sidecar windows traffic and when it says drift.

The rule is drift/verdict.py's; all its numbers are fixed when the bundle is built. A bundle of
release 0.1 knows no distribution: whoever reads it measures one on the reference sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from driftloop_contracts.drift import distribution, level
from driftloop_contracts.drift.distribution import Distribution
from driftloop_contracts.drift.observed import Rule
from driftloop_contracts.errors import BundleRefused


@dataclass(frozen=True)
class FeatureBaseline:
    """One monitored feature: what to expect of it, and what its contract allows.

    ``threshold``: the smallest effect that counts, as Cohen's h (release 0.1: a distance in
    [0, 1]); ``categories``: the reference's values of a categorical feature; ``low`` and
    ``high``: the contract's range of a numeric one (None: unbounded); ``max_missing``: a share
    in [0, 1]; ``varies``: the feature took more than one value in nearly every reference
    window; ``distribution``: its reference in counts.
    """

    name: str
    kind: str
    threshold: float
    max_missing: float
    varies: bool
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    distribution: Distribution | None = None

    def rule(self, known: Distribution) -> Rule:
        """Return what windows are judged by, given the feature's reference."""
        return Rule(
            self.name,
            self.kind,
            self.threshold,
            known.design_effect,
            known.missing_design_effect,
            self.max_missing,
            self.varies,
        )


@dataclass(frozen=True)
class Baseline:
    """What the sidecar needs beside the reference sample.

    ``window_seconds``: length of the event-time grid's cells; ``min_rows``: a window goes on until
    it has as many, but not beyond ``max_seconds`` (0: however long it takes); ``level``:
    significance level of one test on a window of one cell; ``alarms_per_second``: the budget that
    it follows from (0: the level is the same for every window); ``unmonitored``: name and kind
    of the features that are logged but not tested; ``predictions``: cuts and design effects of
    what the model answers (None: not watched), whose shares are learnt (drift/learned.py).
    """

    loop: str
    window_seconds: int
    min_rows: int
    level: float
    features: tuple[FeatureBaseline, ...]
    unmonitored: tuple[tuple[str, str], ...] = ()
    max_seconds: int = 0
    alarms_per_second: float = 0.0
    predictions: FeatureBaseline | None = None

    @property
    def kinds(self) -> dict[str, str]:
        """Return the kind of every feature that a record holds."""
        return {f.name: f.kind for f in self.features} | dict(self.unmonitored)

    @property
    def tests(self) -> int:
        """Return how many tests the loop's budget of false alarms is shared by."""
        watched = (*self.features, *([self.predictions] if self.predictions else []))
        # A bundle of release 0.1 has no distribution; the number of tests does not depend on it.
        nothing = Distribution((), (), (), 1.0, 1.0)
        return level.tests_of(f.rule(f.distribution or nothing) for f in watched)

    def level_of(self, seconds: int, rules: Iterable[Rule]) -> float:
        """Return the level of every test on a window of so many seconds."""
        if not self.alarms_per_second:
            return self.level
        return level.of_window(self.alarms_per_second, seconds, rules)

    def to_json(self) -> bytes:
        """Return the baseline as the bundle stores it."""
        told = asdict(self)
        if self.predictions is None:  # so that sidecars of 0.1 read it too
            del told["predictions"]
        return json.dumps(told, sort_keys=True, indent=1, allow_nan=False).encode()


def from_json(content: bytes) -> Baseline:
    """Return the baseline in ``content``; raise BundleRefused when it is not one."""
    try:
        data: dict[str, Any] = json.loads(content)
        features = tuple(_feature(feature) for feature in data.pop("features"))
        unmonitored = tuple((str(name), str(kind)) for name, kind in data.pop("unmonitored", ()))
        answers = data.pop("predictions", None)
        own = None if answers is None else _feature(answers)
        return Baseline(**data, features=features, unmonitored=unmonitored, predictions=own)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BundleRefused(f"The drift baseline cannot be read: {error}.") from error


def _feature(data: Mapping[str, Any]) -> FeatureBaseline:
    known = data.get("distribution")
    found = None if known is None else distribution.from_data(known)
    return FeatureBaseline(
        **{**data, "categories": tuple(data["categories"]), "distribution": found}
    )
