"""Slices: the parts of the traffic of which outcomes are followed one by one, and their levels.

They are the values of the columns in ``gate.slices.columns`` as training saw them: the
categories, or quarters of a number. At most ``MOST``, the largest by weight, none smaller than
``gate.slices.minShare``. What training did not see belongs to no slice, only to the whole.

All of them share the part of the budget that outcomes have (level.shared), so nothing else in the
loop loses power.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.loop import LearningLoop
from driftloop_contracts import category
from driftloop_contracts.drift import concept
from driftloop_contracts.drift.concept import Concept
from driftloop_contracts.errors import BundleRefused, InvalidInput

Mask = np.ndarray[Any, np.dtype[np.bool_]]

MOST = 20
"""Slices of a loop: an event and a state that tell of all stay small, and each keeps power."""
QUARTERS = 4
"""Slices of a numeric column."""
LONGEST = 60
"""Characters of a value that a name shows."""
WHERE = "a bundle's slices"


@dataclass(frozen=True)
class Part:
    """Rows whose ``column`` has ``value``, or lies in (``low``, ``high``]; None is no bound."""

    column: str
    value: str | None = None
    low: float | None = None
    high: float | None = None

    @property
    def name(self) -> str:
        """Return what people call it.

        >>> Part("category", "ski").name, Part("relevance", low=0.25).name
        ('category = ski', 'relevance in (0.25, ]')
        """
        if self.value is not None:
            return f"{self.column} = {_short(self.value)}"
        low, high = ("" if b is None else f"{b:.15g}" for b in (self.low, self.high))
        return f"{self.column} in ({low}, {high}]"

    def inside(self, rows: pd.DataFrame) -> Mask:
        """Return which rows belong to it; none where the column is not known of them."""
        if self.column not in rows:
            return np.zeros(len(rows), dtype=bool)
        if self.value is not None:
            found: Mask = _texts(rows[self.column]) == self.value
            return found
        numbers = _numbers(rows[self.column])
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return (numbers > low) & (numbers <= high)


def _short(value: str) -> str:
    """Return a value as a name may hold it; long ones that begin alike stay apart."""
    if len(value) <= LONGEST:
        return value
    return f"{value[: LONGEST - 9]}~{hashlib.sha256(value.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Slice:
    """A part of the traffic, and how its outcomes followed the predictions when it was judged."""

    part: Part
    concept: Concept


def found(rows: pd.DataFrame, loop: LearningLoop) -> tuple[Part, ...]:
    """Return the largest parts of the training ``rows`` (with their ``weight``), largest first."""
    policy, weight = loop.spec.gate.slices, rows["weight"].to_numpy("float64")
    numeric, sized = loop.spec.features.names(kind="numeric"), []
    for column in dict.fromkeys(policy.columns):
        parts = _quarters(rows[column], column) if column in numeric else None
        if parts is None:
            sized += [(size, part) for part, size in _categories(rows[column], column, weight)]
        else:
            sized += [(float(weight[part.inside(rows)].sum()), part) for part in parts]
    least = policy.min_share * weight.sum()
    ordered = sorted(sized, key=lambda pair: (-pair[0], pair[1].name))
    return tuple(part for size, part in ordered if size >= least)[:MOST]


def to_json(slices: Sequence[Slice]) -> bytes:
    """Return slices as the bundle stores them."""
    told = [{"part": asdict(one.part), "concept": one.concept.to_data()} for one in slices]
    return json.dumps(told, sort_keys=True, indent=1, allow_nan=False).encode()


def from_json(content: bytes | None) -> tuple[Slice, ...]:
    """Return what a bundle stores, nothing where it has none; raise BundleRefused for else."""
    if content is None:
        return ()
    try:
        told = json.loads(content)
        if not isinstance(told, list) or len(told) > MOST:
            raise InvalidInput("slices", WHERE, f"a list of at most {MOST}", told)
        return tuple(Slice(_part(one["part"]), concept.from_data(one["concept"])) for one in told)
    except (ValueError, TypeError, KeyError, RecursionError, InvalidInput) as error:
        raise BundleRefused(f"The bundle's slices cannot be read: {error}.") from error


def _part(data: Mapping[str, Any]) -> Part:
    part = Part(**data)
    texts = isinstance(part.column, str) and isinstance(part.value, str | None)
    if not texts or not all(isinstance(b, int | float | None) for b in (part.low, part.high)):
        raise InvalidInput("part", WHERE, "a column with a value or bounds", data)
    return part


def _categories(
    values: pd.Series[Any], column: str, weight: np.ndarray[Any, Any]
) -> Iterator[tuple[Part, float]]:
    known = ~values.isna().to_numpy()
    texts, places = np.unique(_texts(values)[known].astype(str), return_inverse=True)
    for text, size in zip(texts, np.bincount(places, weight[known], len(texts)), strict=True):
        yield Part(column, str(text)), float(size)


def _quarters(values: pd.Series[Any], column: str) -> list[Part] | None:
    """Return a number's quarters; None where it has so few values that each is a slice."""
    numbers = _numbers(values)
    numbers = numbers[np.isfinite(numbers)]
    if len(np.unique(numbers)) <= QUARTERS:
        return None
    cuts = np.unique(np.quantile(numbers, np.arange(1, QUARTERS) / QUARTERS)).tolist()
    bounds = [None, *cuts, None]
    pairs = zip(bounds, bounds[1:], strict=False)
    return [Part(column, low=low, high=high) for low, high in pairs]


def _texts(values: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Return each value's text, None where it is missing; values are fewer than rows."""
    places, kinds = pd.factorize(values)
    texts = np.array([*(category.text(kind) for kind in kinds.tolist()), None], dtype=object)
    return texts[places]


def _numbers(values: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return pd.to_numeric(values, errors="coerce").to_numpy("float64", na_value=np.nan)
