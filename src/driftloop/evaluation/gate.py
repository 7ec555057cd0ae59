"""Gate: may the candidate replace the champion?

For the causes drift and staleness the candidate must not be worse: with d the relative
difference of their losses (positive: candidate worse) and [lo, hi] its bootstrap interval,

    PROMOTE  when hi <= margin      not worse, and we can tell
    REJECT   when lo > margin       worse, and we can tell
    HOLD     otherwise              too few rows to tell

The bootstrap is paired and resamples entities (Efron and Tibshirani, 1993, ch. 8), because the
rows of one entity rise and fall together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from driftloop.loop import Gate

PROMOTE, HOLD, REJECT = "promote", "hold", "reject"


class Interval(NamedTuple):
    """An estimate with its one-sided lower and upper confidence bounds."""

    low: float
    estimate: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """What the gate says, with the reasons a person reads."""

    verdict: str
    reasons: tuple[str, ...]
    difference: Interval | None = None


def relative_difference(scored: pd.DataFrame, gate: Gate, rng: np.random.Generator) -> Interval:
    """Return (candidate - champion) / champion loss, resampled over ``gate.entity``.

    ``scored`` has that column, ``candidate_loss`` and ``champion_loss`` (row totals, nats).
    """
    sums = scored.groupby(gate.entity)[["candidate_loss", "champion_loss"]].sum().to_numpy()
    total = sums.sum(axis=0)
    # Multinomial counts are the bootstrap over entities without copying a row.
    draws = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), gate.resamples) @ sums
    ratios = draws[:, 0] / draws[:, 1] - 1
    low, high = np.quantile(ratios, [1 - gate.confidence, gate.confidence])
    return Interval(float(low), float(total[0] / total[1] - 1), float(high))


def judge(scored: pd.DataFrame, gate: Gate, rng: np.random.Generator) -> Verdict:
    """Return the verdict on the same fresh rows; without a champion the candidate is the first."""
    if "champion_loss" not in scored:
        return Verdict(PROMOTE, ("There is no champion yet.",))
    drifted = _release_drifted(scored, gate)
    if drifted:
        return Verdict(REJECT, (drifted,))
    difference = relative_difference(scored, gate, rng)
    verdict = _verdict(difference, gate.margin)
    return Verdict(verdict, (_sentence(verdict, difference, gate, scored),), difference)


def _verdict(difference: Interval, margin: float) -> str:
    if difference.high <= margin:
        return PROMOTE
    return REJECT if difference.low > margin else HOLD


def _release_drifted(scored: pd.DataFrame, gate: Gate) -> str:
    """Return why the model to release is not the one judged, or nothing."""
    release, candidate = scored["release_loss"].sum(), scored["candidate_loss"].sum()
    if release <= candidate * (1 + gate.margin):
        return ""
    return (
        f"The final fit is {release / candidate - 1:.2%} worse than the judged one on rows "
        "that it was even fitted on."
    )


def _sentence(verdict: str, difference: Interval, gate: Gate, scored: pd.DataFrame) -> str:
    says = {
        PROMOTE: "is not worse than the champion beyond the margin",
        REJECT: "is worse than the champion beyond the margin",
        HOLD: "cannot be told from the champion within the margin",
    }[verdict]
    return (
        f"The candidate {says} of {gate.margin:.2%}: loss differs by {difference.estimate:+.2%} "
        f"[{difference.low:+.2%}, {difference.high:+.2%}] on {len(scored)} rows of "
        f"{scored[gate.entity].nunique()} {gate.entity}s."
    )
