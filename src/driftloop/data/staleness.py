"""Staleness: whether a model's data are too old, by the calendar and by what it does to them.

By the calendar: the newest training day against now. By measure: a model may serve well on test
data that are two months old and fail on yesterday's. Losses of two times cannot be compared as
they are, since a lower rate alone makes a lower loss. Two ratios are, new rows over old:

    loss / entropy of the side's rate    what the model is worth (normalized entropy: He et al.,
                                         2014); it still moves a little with the rate itself
    loss / entropy of its predictions    whether they keep what they promise, at any rate

A model is stale when it is worth surely less by more than a margin and surely keeps less of what
it promises. Bounds are one-sided, from resampled entities (difference.py), one draw for both
sides, so that an entity which is there before and after is drawn or left out on both. Rows of one
day that rise and fall together beyond their entities are not seen: one odd day looks the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop import instants
from driftloop.evaluation import difference, loss
from driftloop.evaluation.difference import FEWEST_ENTITIES, Estimate, Floats, Interval, Resampled
from driftloop.evaluation.ruling import told
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop_contracts.errors import InvalidInput

WHERE = "the scored rows"
MARGIN = 0.02
"""Relative increase of the normalized entropy that does not count as worse."""
RESAMPLES = 500
SEED = 0
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Age:
    """How old the newest training row is, and how old it may be."""

    newest: pd.Timestamp
    now: pd.Timestamp
    allowed: timedelta

    @property
    def age(self) -> timedelta:
        """Return the time since the newest row."""
        return (self.now - self.newest).to_pytimedelta()

    @property
    def is_stale(self) -> bool:
        """Return whether it is older than allowed."""
        return self.age > self.allowed

    @property
    def sentence(self) -> str:
        """Return both ages as a person reads them."""
        return (
            f"The newest training row is of {self.newest:%Y-%m-%d}, {self.age / DAY:.1f} days "
            f"before {self.now:%Y-%m-%d}; {self.allowed / DAY:g} days are allowed."
        )

    def returned(self) -> Returned | None:
        """Return that the loop goes back for newer data, where it does."""
        return RULES["stale_data"].returned(self.sentence) if self.is_stale else None

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data, lengths in seconds."""
        return {
            "newest": self.newest.isoformat(),
            "age": self.age.total_seconds(),
            "allowed": self.allowed.total_seconds(),
            "is_stale": self.is_stale,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Part:
    """One stretch of the scored rows; ``normalized``: entropy, 1 is a constant's, inf unknown.

    ``predicted``: positives that the model expected.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    rows: int
    impressions: float
    positives: float
    predicted: float
    normalized: Interval

    @property
    def sentence(self) -> str:
        """Return the numbers as a person reads them."""
        return (
            f"{self.start:%Y-%m-%d} to {self.end:%Y-%m-%d} ({self.impressions:.0f} impressions, "
            f"rate {self.positives / self.impressions:.3%}, predicted "
            f"{self.predicted / self.impressions:.3%}) {self.normalized.estimate:.3f} "
            f"[{self.normalized.low:.3f}, {self.normalized.high:.3f}]"
        )

    def to_data(self) -> dict[str, Any]:
        """Return the numbers as JSON data; an unknown bound is null."""
        times = {"start": self.start.isoformat(), "end": self.end.isoformat()}
        return asdict(self) | times | {"normalized": self.normalized.listed()}


@dataclass(frozen=True)
class Aged:
    """What a model is worth on ``old`` test rows and on ``new`` ones.

    ``worse``: relative increase of the normalized entropy; ``broken``: of the loss over what the
    predictions promise; one-sided bounds at ``confidence``; ``entities``: of both sides together.
    """

    old: Part
    new: Part
    worse: Interval
    broken: Interval
    margin: float
    confidence: float
    entities: int

    @property
    def is_stale(self) -> bool:
        """Return whether the new rows surely say both."""
        is_known = self.entities >= FEWEST_ENTITIES
        return is_known and self.worse.low > self.margin and self.broken.low > 0

    @property
    def sentence(self) -> str:
        """Return what is known, with both sides' numbers."""
        says = "serves worse" if self.is_stale else "is not surely worse"
        return (
            f"The model {says} on the newest rows than on the old test rows: loss over that of "
            f"the rows' own rate is {self.old.sentence} on the old and {self.new.sentence} on the "
            f"new, a difference of {told(self.worse)} ({self.confidence:.0%}, {self.entities} "
            f"entities), of which {self.margin:+.0%} would be allowed; loss over what its "
            f"predictions promise differs by {told(self.broken)}."
        )

    def returned(self) -> Returned | None:
        """Return that the loop goes back for newer data, where it does."""
        return RULES["stale_data"].returned(self.sentence) if self.is_stale else None

    def to_data(self) -> dict[str, Any]:
        """Return the numbers, what follows, and the sentence, as JSON data."""
        return {
            "old": self.old.to_data(),
            "new": self.new.to_data(),
            "worse": self.worse.listed(),
            "broken": self.broken.listed(),
            "margin": self.margin,
            "confidence": self.confidence,
            "entities": self.entities,
            "is_stale": self.is_stale,
            "sentence": self.sentence,
        }


def age(times: pd.Series[pd.Timestamp], now: datetime, allowed: timedelta) -> Age:
    """Return how old the newest of ``times`` is at ``now``; ``allowed``: such as retrain.maxAge.

    >>> days = pd.Series(pd.to_datetime(["2026-01-01"], utc=True))
    >>> print(age(days, datetime.fromisoformat("2026-03-02T00:00Z"), 30 * DAY).sentence)
    The newest training row is of 2026-01-01, 60.0 days before 2026-03-02; 30 days are allowed.
    """
    if times.isna().all():
        raise InvalidInput("event_time", "the training rows", "a time at least", "nothing")
    newest = instants.column(times.to_frame("event_time"), "event_time", "the training rows").max()
    return Age(newest, instants.utc(now), allowed)


def compare(
    scored: pd.DataFrame,
    since: datetime,
    entity: str,
    *,
    probability: str = "probability",
    margin: float = MARGIN,
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
) -> Aged:
    """Return whether a model does worse on rows from ``since`` on than on those before.

    ``scored``: rows that the model has not seen, with event_time, weight (at least 1), positives
    (0 to weight), the column ``entity`` and a ``probability``. Raise InvalidInput where a column
    or a side is absent or its rows have one class alone, and for nonsense numbers.
    """
    rows = _sound(scored, entity, probability)
    is_new = (rows["event_time"] >= instants.utc(since)).to_numpy()
    sides = {"old": ~is_new, "new": is_new}
    drawn = _resample(rows, sides, entity, rng or np.random.default_rng(SEED))
    values = {name: _normalized(drawn, name) for name in sides}
    parts = {n: _part(rows[inside], values[n], confidence, n) for n, inside in sides.items()}
    kept = {name: _kept(drawn, name) for name in sides}
    return Aged(
        parts["old"],
        parts["new"],
        _increase(values).interval(confidence),
        _increase(kept).interval(confidence),
        margin,
        confidence,
        int(rows[entity].nunique(dropna=False)),
    )


def _increase(values: dict[str, Floats]) -> Estimate:
    """Return new / old - 1, without the resamples in which a side was empty."""
    old, new = values["old"], values["new"]
    held = (old > 0) & np.isfinite(old) & np.isfinite(new)
    held[0] = True
    ratio = (new / np.maximum(old, 1e-300) - 1)[held]
    return Estimate(float(ratio[0]), ratio[1:])


def by_age(
    scored: pd.DataFrame,
    now: datetime,
    ages: Sequence[timedelta],
    entity: str,
    *,
    probability: str = "probability",
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
) -> list[Part]:
    """Return the parts of the scored rows by age at ``now``, the newest first.

    ``ages``: ascending bounds between the parts; parts without both classes are left out.
    """
    rows = _sound(scored, entity, probability)
    bounds = [instants.utc(now) - length for length in ages]
    place = np.zeros(len(rows), "int64")
    for bound in bounds:
        place += (rows["event_time"] < bound).to_numpy()
    sides = {str(n): place == n for n in range(len(bounds) + 1)}
    known = {name: inside for name, inside in sides.items() if _has_both(rows[inside])}
    drawn = _resample(rows, known, entity, rng or np.random.default_rng(SEED))
    return [
        _part(rows[inside], _normalized(drawn, name), confidence, name)
        for name, inside in known.items()
    ]


def _resample(
    rows: pd.DataFrame, sides: dict[str, Any], entity: str, rng: np.random.Generator
) -> Resampled:
    p, k, n = (rows[name].to_numpy("float64") for name in ("probability", "positives", "weight"))
    lost = loss.log_loss(p, k, n)
    columns: dict[str, Floats] = {}
    for name, inside in sides.items():
        columns |= {
            f"{name} loss": lost * inside,
            f"{name} positives": k * inside,
            f"{name} weight": n * inside,
            f"{name} promised": n * loss.entropy(np.clip(p, loss.CLIP, 1 - loss.CLIP)) * inside,
        }
    resamples = RESAMPLES if rows[entity].nunique(dropna=False) >= FEWEST_ENTITIES else 0
    return difference.resample(columns, rows[entity], resamples, rng)


def _normalized(drawn: Resampled, side: str) -> Floats:
    """Return loss over the entropy of the side's own rate, infinite where that is 0."""
    lost, k, n = (drawn.of(f"{side} {name}") for name in ("loss", "positives", "weight"))
    rate = np.clip(k / np.maximum(n, 1e-300), 0, 1)
    entropy = n * loss.entropy(rate)
    return np.where(entropy > 0, lost / np.maximum(entropy, 1e-300), np.inf)


def _kept(drawn: Resampled, side: str) -> Floats:
    """Return loss over the entropy of the predictions, infinite where that is 0."""
    lost, promised = drawn.of(f"{side} loss"), drawn.of(f"{side} promised")
    return np.where(promised > 0, lost / np.maximum(promised, 1e-300), np.inf)


def _part(rows: pd.DataFrame, values: Floats, confidence: float, name: str) -> Part:
    if not _has_both(rows):
        allowed = "rows with positives and negatives"
        raise InvalidInput(f"the {name} side", WHERE, allowed, f"{len(rows)} rows of one class")
    known = values[np.isfinite(values)]
    weight = rows["weight"]
    return Part(
        start=rows["event_time"].min(),
        end=rows["event_time"].max(),
        rows=len(rows),
        impressions=float(weight.sum()),
        positives=float(rows["positives"].sum()),
        predicted=float((rows["probability"] * weight).sum()),
        normalized=Estimate(float(values[0]), known[1:]).interval(confidence),
    )


def _has_both(rows: pd.DataFrame) -> bool:
    positives = float(rows["positives"].sum())
    return 0 < positives < float(rows["weight"].sum())


def _sound(scored: pd.DataFrame, entity: str, probability: str) -> pd.DataFrame:
    wanted = ("event_time", "weight", "positives", entity, probability)
    for name in wanted:
        if name not in scored:
            raise InvalidInput(f"column '{name}'", WHERE, "present", list(scored.columns))
    rows = scored[list(dict.fromkeys(wanted))].rename(columns={probability: "probability"})
    rows = rows.assign(event_time=instants.column(scored, "event_time", WHERE))
    p, k, n = (pd.to_numeric(rows[c], errors="coerce") for c in ("probability", *wanted[2:0:-1]))
    sound = (p >= 0) & (p <= 1) & (k >= 0) & (k <= n) & (n > 0) & rows["event_time"].notna()
    if not sound.all():
        got = rows[~sound].iloc[0].to_dict()
        allowed = "a time, a probability from 0 to 1 and positives from 0 to weight"
        raise InvalidInput("a row", WHERE, allowed, got)
    return rows.assign(probability=p, positives=k, weight=n)
