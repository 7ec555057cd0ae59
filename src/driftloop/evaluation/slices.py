"""Slices: parts of the traffic on which a better model may be a worse one.

A slice keeps its margin when its loss is surely not higher by as much: one-sided at ``SURE``, a
test of non-inferiority, which one that gained much passes on few rows. Of what it has not seen a
bootstrap knows nothing, and a candidate that says "never" gains wherever nothing came; so the loss
of ``UNSEEN`` rows of that kind is added (``unseen``), the most that may come all the same with a
chance of 5 % (the rule of three: Hanley and Lippman-Hand, 1983). Any other slice is harmed when its
loss is surely higher: one-sided, Holm (1979) at ``ERROR`` over all slices, so that a candidate as
good everywhere is held up by chance at most so often. One whose harm of the margin would be missed
too often is not told apart: it lacks rows, and how many follows from the standard error s of n
rows, and from what is unseen,

    n max(((z_(1 - ERROR / m) + z_power) s / log(1 + margin))^2, unseen / margin) - n

of m slices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from driftloop.evaluation.difference import Estimate, Interval
from driftloop.evaluation.ruling import HOLD, PROMOTE, REJECT, Ruling

Mask = np.ndarray[Any, np.dtype[np.bool_]]

ERROR = 0.05
"""Chance that any slice of a candidate which harms none is called harmed."""
SURE = 0.99
"""Chance that a slice which is harmed by the margin is not taken for one that keeps it."""
UNSEEN = 3.0
"""Rows of a kind of which none came that there may be nevertheless."""
LONGEST = 1e6
"""Times the champion's loss, for rows that do not say: what they lack is more than anybody has."""
POWER = 0.95
"""Chance to see a slice that is harmed by the margin."""
QUARTERS = 4
"""Slices of a numeric column."""


@dataclass(frozen=True, eq=False)
class Slice:
    """A part of the rows with a name that says which; ``is_found``: a search came up with it."""

    name: str
    inside: Mask
    is_found: bool = False


@dataclass(frozen=True)
class Found:
    """What is known of one slice.

    ``lacking``: rows that it would take to know (0: none); ``interval``: the difference between its
    one-sided 95 % bounds; ``worse``: surely, though within the margin.
    """

    name: str
    rows: int
    difference: float
    p_value: float
    harmed: bool
    lacking: int
    is_found: bool = False
    interval: Interval | None = None
    worse: bool = False

    @property
    def is_vague(self) -> bool:
        """Return whether it is a suspicion that not even the half that raised it could prove."""
        return self.is_found and self.lacking > self.rows


def named(rows: pd.DataFrame, columns: Sequence[str], min_share: float) -> list[Slice]:
    """Return the slices of these columns that hold at least ``min_share`` of the rows."""
    return [one for column in columns for one in _of(rows[column], column, min_share)]


def unseen(scored: pd.DataFrame, inside: Mask) -> float:
    """Return what rows of a kind that did not come may cost a candidate, of the champion's loss.

    The rarer outcome at the candidate's probability of it, on average; of classes its wrong answers
    as they cost anywhere. Endless where the rows do not say.
    """
    rows, usual = scored[inside], float(scored["champion_loss"][inside].sum())
    if "positives" not in scored or "candidate_predicted" not in scored or usual <= 0:
        return math.inf
    is_of_classes = "champion_positives" in scored
    cost = _wrong(scored) if is_of_classes else _rarer(rows)
    return UNSEEN * cost * float(rows["weight"].min()) / usual


def _wrong(scored: pd.DataFrame) -> float:
    """Return the candidate's mean loss where it was wrong; of one that never was, its highest."""
    each = scored["candidate_loss"] / scored["weight"]
    wrong = each[scored["positives"] < scored["weight"]]
    return float(wrong.mean() if len(wrong) else each.max())


def _rarer(rows: pd.DataFrame) -> float:
    """Return the candidate's mean loss had the rarer outcome come on each row."""
    predicted = (rows["candidate_predicted"] / rows["weight"]).clip(1e-12, 1 - 1e-12)
    is_rare = rows["positives"].sum() * 2 <= rows["weight"].sum()
    return float(-np.log(predicted if is_rare else 1 - predicted).mean())


def judge(
    parts: Sequence[Slice],
    measured: Sequence[Estimate],
    costs: Sequence[float],
    margin: float,
) -> list[Found]:
    """Return what each slice shows.

    ``measured``: the relative difference of loss on each; ``costs``: what ``unseen`` rows may add
    to it.
    """
    if not parts:
        return []
    ratios = np.log1p([one.value for one in measured])
    errors = np.array([one.log_error for one in measured])
    p = special.ndtr(-ratios / np.maximum(errors, 1e-12))
    reach = float(special.ndtri(1 - ERROR / len(parts)) + special.ndtri(POWER))
    hidden = np.minimum(costs, LONGEST)
    needed = np.maximum((reach * errors / math.log1p(margin)) ** 2, hidden / margin)
    highest = np.exp(ratios + float(special.ndtri(SURE)) * errors) + hidden
    kept = highest <= 1 + margin
    columns = zip(parts, measured, p, np.array(holm(p, ERROR)), kept, needed, strict=True)
    return [_found(part, one, *(each.item() for each in rest)) for part, one, *rest in columns]


def _found(
    part: Slice, one: Estimate, p_value: float, is_worse: bool, is_kept: bool, times: float
) -> Found:
    rows = int(part.inside.sum())
    lacking = 0 if is_worse or is_kept else max(0, math.ceil(rows * (times - 1)))
    return Found(
        part.name,
        rows,
        one.value,
        p_value,
        harmed=is_worse and not is_kept,
        lacking=lacking,
        is_found=part.is_found,
        interval=one.interval(1 - ERROR),
        worse=is_worse and is_kept,
    )


def ruling_of(one: Found, margin: float, rows: int) -> Ruling:
    """Return what a slice comes to, among ``rows`` of which it has a share."""
    if one.harmed:
        reason = (
            f"It harms {one.name}: loss differs by {one.difference:+.2%} on {one.rows} rows "
            f"(p = {one.p_value:.1e})."
        )
        return Ruling(REJECT, (reason,))
    if one.lacking and not one.is_vague:
        reason = (
            f"Of {one.name} it takes about {one.lacking} more rows than its {one.rows} to see a "
            f"harm of {margin:.0%}."
        )
        # So many more of all rows, for a slice gets its share of them.
        return Ruling(HOLD, (reason,), math.ceil(one.lacking * rows / one.rows))
    if one.worse:
        said = f"{one.name} is worse by {one.difference:.2%}, surely by less than {margin:.0%}."
        return Ruling(PROMOTE, (said,))
    return Ruling(PROMOTE)


def holm(p_values: Sequence[float] | Any, level: float) -> list[bool]:
    """Return which hypotheses fall at ``level`` for all together.

    >>> holm([0.01, 0.04, 0.02], 0.05)
    [True, True, True]
    >>> holm([0.02, 0.04, 0.03], 0.05)
    [False, False, False]
    """
    p = np.asarray(p_values)
    order = np.argsort(p, kind="stable")
    falls = p[order] <= level / (len(p) - np.arange(len(p)))
    standing = np.flatnonzero(~falls)
    first = int(standing[0]) if len(standing) else len(p)
    fallen = set(order[:first].tolist())
    return [number in fallen for number in range(len(p))]


def _of(values: pd.Series[Any], column: str, min_share: float) -> Iterator[Slice]:
    """Yield a column's slices; masks of small ones are never made, for values may be many."""
    missing, least = values.isna().to_numpy(), min_share * len(values)
    if missing.any() and missing.sum() >= least:
        yield Slice(f"{column} missing", missing)
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > QUARTERS:
        cuts = np.unique(values.quantile(np.arange(1, QUARTERS) / QUARTERS).to_numpy())
        places = np.searchsorted(cuts, values.to_numpy("float64"))
        bounds = ["", *(f"{cut:.4g}" for cut in cuts), ""]
        for n in range(len(cuts) + 1):
            inside = (places == n) & ~missing
            if inside.sum() >= least:
                yield Slice(f"{column} in ({bounds[n]}, {bounds[n + 1]}]", inside)
        return
    texts = values.astype(str).to_numpy()
    kinds, counts = np.unique(texts[~missing], return_counts=True)
    for kind, count in zip(kinds, counts, strict=True):
        if count >= least:
            yield Slice(f"{column} = {kind}", (texts == kind) & ~missing)
