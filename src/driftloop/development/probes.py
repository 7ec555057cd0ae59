"""Probes: what a column's values alone tell against it.

- ``leaked``: it alone explains too much of the outcomes (evaluation/leakage.py);
- ``constant``: it has one value in the rows that are learned from;
- ``stopped``: it varied there and has one value in the held-out rows;
- ``moved``: its distribution is surely another in the held-out rows: Cohen's h of a bin above
  ``MOVED``, by the jackknife over entities, Bonferroni over all bins of all columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from driftloop.development import labelled
from driftloop.development.columns import binned
from driftloop.evaluation import leakage
from driftloop.evaluation.difference import FEWEST_ENTITIES, Floats, resample

MOVED = 0.2
"""Cohen's h from which on a column is another: what Cohen (1988) calls a small effect."""
ERROR = 0.05
"""Chance that any column is said to have moved where none moved by more than ``MOVED``."""
RESAMPLES = 200


@dataclass(frozen=True)
class Probe:
    """What is told of one column; ``explained``: share of the deviance (None: too few labels)."""

    column: str
    explained: float | None
    leaked: bool
    constant: bool
    stopped: bool
    moved: float | None

    @property
    def is_clean(self) -> bool:
        """Return whether nothing speaks against the column."""
        return not (self.leaked or self.constant or self.stopped or self.moved is not None)

    def to_data(self) -> dict[str, Any]:
        """Return the probe, ready for JSON."""
        known = self.explained
        return {
            "column": self.column,
            "explained": None if known is None else round(known, 5),
            "leaked": self.leaked,
            "constant": self.constant,
            "stopped": self.stopped,
            "moved": None if self.moved is None else round(self.moved, 4),
        }


def probe(
    early: pd.DataFrame,
    late: pd.DataFrame,
    columns: Sequence[str],
    entity: str,
    most: float,
    rng: np.random.Generator,
) -> list[Probe]:
    """Return what is told of each column; ``most``: share of the deviance that one may explain.

    ``early``: rows that are learned from; ``late``: held-out rows.
    """
    for rows, where in ((early, "the early rows"), (late, "the held-out rows")):
        labelled.require(rows, [*columns, entity], where)
    known = leakage.explained(late, columns, entity, rng)
    moved = _moved(early, late, columns, entity, rng)
    found = []
    for column in columns:
        kinds, later = (rows[column].nunique(dropna=False) for rows in (early, late))
        share = known.get(column)
        leaked = share is not None and share > most
        one = Probe(column, share, leaked, kinds == 1, kinds > 1 == later, moved.get(column))
        found.append(one)
    return found


def _moved(
    early: pd.DataFrame,
    late: pd.DataFrame,
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return Cohen's h of the columns that surely moved by more than ``MOVED``."""
    keys = pd.concat([early[entity], late[entity]], ignore_index=True)
    if keys.nunique() < FEWEST_ENTITIES:
        return {}
    is_late = np.arange(len(keys)) >= len(early)
    effects: dict[str, tuple[Floats, Floats]] = {}
    seed = int(rng.integers(2**32))
    for column in columns:
        both = pd.concat([early[column], late[column]], ignore_index=True)
        codes = binned(both, early[column])
        effects[column] = _effects(codes, is_late, keys, np.random.default_rng(seed))
    tests = max(1, sum(len(one[0]) for one in effects.values()))
    reach = -float(special.ndtri(ERROR / tests / 2))
    found = {}
    for column, (effect, error) in effects.items():
        sure = np.flatnonzero((np.abs(effect) - reach * error > MOVED) & np.isfinite(effect))
        if len(sure):
            found[column] = float(np.abs(effect[sure]).max())
    return found


def _effects(
    codes: Any, is_late: Any, keys: pd.Series[Any], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return each bin's Cohen's h between early and late, with its standard error."""
    bins = np.unique(codes)
    inside = codes[:, None] == bins
    columns = {f"{n} {k}": inside[:, n] * (is_late == k) for n in range(len(bins)) for k in (0, 1)}
    columns |= {f"all {k}": 1.0 * (is_late == k) for k in (0, 1)}
    drawn = resample(columns, keys, RESAMPLES, rng)
    angle = []
    for k in (0, 1):
        own = np.stack([drawn.of(f"{n} {k}") for n in range(len(bins))], axis=1)
        share = own / np.maximum(drawn.of(f"all {k}"), 1)[:, None]
        angle.append(2 * np.arcsin(np.sqrt(np.clip(share, 0, 1))))
    h = angle[1] - angle[0]
    return h[0], np.maximum(h[1:].std(axis=0), 1 / math.sqrt(len(codes)))
