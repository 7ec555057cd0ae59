"""Beside: what became of the predictions of two bundles that answered side by side.

Their shares of the traffic change, and so does the hour; so rows are weighted until both bundles
have answered every hour alike: with n_c and n_s rows in an hour, each bundle's rows together weigh
n_c n_s / (n_c + n_s). A value of so weighted sums is off by what another choice of entities would
have made of it, by the jackknife over groups of entities (Efron and Tibshirani, 1993, ch. 11).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import kpi, loss, numbers
from driftloop.loop import LearningLoop
from driftloop.rollout.entities import FEWEST, GROUPS, groups_of
from driftloop.spec.objective import Kpi
from driftloop_contracts import bundle, times

Floats = np.ndarray[Any, np.dtype[np.float64]]
Measure = Callable[[Floats], float | None]
"""A value of summed columns; None where it has none, as of no positives."""

HOUR = pd.Timedelta(hours=1)
COLUMNS = ("rows", "impressions", "positives", "predicted", "loss")
"""Of every row; where outcomes are classes also what was decided, and rightly (numbers.py)."""


def compare(rows: pd.DataFrame, loop: LearningLoop) -> dict[str, Any] | None:
    """Return what a cohort's rows tell of two bundles side by side; None without such two.

    ``kpi``: turned so that more is better; ``calibration``: the logarithm of positives over what
    was predicted; of both the values and their errors, the newer bundle's first.
    """
    entity = loop.spec.gate.entity
    rows = rows[np.isfinite(rows["prediction"]) & rows["positives"].notna()]
    shared = _most_shared(rows) if entity in rows else None
    if shared is None:
        return None
    newer, older, counts = shared
    sides = [rows[rows["bundle_version"] == version] for version in (newer, older)]
    weights = counts.prod(axis=1) / counts.sum(axis=1)
    sums = [
        _sums(side, _hour(side).map(weights / counts.iloc[:, at]), loop)
        for at, side in enumerate(sides)
    ]
    groups = min(int((one[:, 0] > 0).sum()) for one in sums)
    if groups < FEWEST:
        return None
    asked = counts.index
    told = {"bundles": [newer, older], "weight": float(weights.sum()), "groups": groups}
    told |= {"start": times.to_text(asked.min().to_pydatetime())}
    told |= {"end": times.to_text((asked.max() + HOUR).to_pydatetime())}
    found = {"kpi": _valued(loop.spec.objective.kpi), "calibration": calibration}
    return told | {name: _both(measure, sums) for name, measure in found.items()}


def _most_shared(rows: pd.DataFrame) -> tuple[str, str, pd.DataFrame] | None:
    """Return the two bundles with most rows side by side, the newer first, by hours of both."""
    counts = rows.groupby([_hour(rows), "bundle_version"]).size().unstack(fill_value=0)
    best: tuple[float, str, str] | None = None
    for older, newer in combinations(sorted(counts.columns, key=bundle.age), 2):
        pair = counts[[newer, older]]
        shared = float((pair.prod(axis=1) / pair.sum(axis=1).clip(lower=1)).sum())
        if shared > 0 and (best is None or shared > best[0]):
            best = shared, newer, older
    if best is None:
        return None
    both = counts[[best[1], best[2]]]
    return best[1], best[2], both[(both > 0).all(axis=1)]


def _hour(rows: pd.DataFrame) -> pd.Series[pd.Timestamp]:
    found: pd.Series[pd.Timestamp] = rows["event_time"].dt.floor(HOUR)
    return found


def _sums(side: pd.DataFrame, multiplier: pd.Series[float], loop: LearningLoop) -> Floats:
    """Return the weighted sums, [groups, columns]; rows of an hour without the other count none."""
    times = multiplier.fillna(0.0).to_numpy("float64")
    prediction, weight = (side[name].to_numpy("float64") for name in ("prediction", "weight"))
    positives = side["positives"].to_numpy("float64")
    losses = loss.log_loss(prediction, positives, weight)
    columns = [np.ones(len(side)), weight, positives, prediction * weight, losses]
    if loop.spec.objective.classes:
        costs = loop.spec.charter.costs
        given = costs.decided(prediction) if costs else np.ones(len(side))
        columns += [given * weight, given * positives]
    groups = groups_of(side[loop.spec.gate.entity].to_numpy())
    summed = [np.bincount(groups, column * times, GROUPS) for column in columns]
    return np.stack(summed, axis=1)


def _valued(policy: Kpi) -> Measure:
    sign = 1.0 if policy.direction == "maximize" else -1.0

    def measure(sums: Floats) -> float | None:
        if not sums[COLUMNS.index("impressions")] > 0:
            return None
        value = kpi.evaluate(policy.formula, numbers.of_sums(*sums).values())
        return None if value is None else sign * value

    return measure


def calibration(sums: Floats) -> float | None:
    """Return the logarithm of positives over what was predicted."""
    positives, predicted = sums[2:4]
    return math.log(positives / predicted) if positives > 0 and predicted > 0 else None


def _both(measure: Measure, sums: list[Floats]) -> dict[str, list[float]] | None:
    """Return both bundles' values and errors, or None where one has none."""
    found = [_jackknifed(measure, one) for one in sums]
    if None in found:
        return None
    values, errors = zip(*found, strict=True)
    return {"values": list(values), "errors": list(errors)}


def _jackknifed(measure: Measure, sums: Floats) -> tuple[float, float] | None:
    whole, kept = sums.sum(axis=0), sums[sums[:, 0] > 0]
    value, without = measure(whole), [measure(whole - one) for one in kept]
    if value is None or None in without:
        return None
    spread = np.array(without, "float64")
    error = math.sqrt((len(kept) - 1) / len(kept) * ((spread - spread.mean()) ** 2).sum())
    return (value, error) if math.isfinite(value) and math.isfinite(error) else None
