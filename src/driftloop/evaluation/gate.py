"""Gate: may the candidate replace the champion?

With d the relative difference of their losses (positive: candidate worse), [lo, hi] its bootstrap
interval, and the limit that the cause of the retraining sets (``gate.margin`` where the candidate
must not be worse, 0 where it must be better),

    PROMOTE  when hi <= limit      and nothing below says otherwise
    REJECT   when lo > limit       or a slice is surely worse and not surely within its margin, a
                                   secondary metric surely falls behind by more than its margin, a
                                   budget is not kept, a column knows the outcome, or a constant
                                   would do better
    HOLD     otherwise             with the rows that it still takes

All of it must hold for a promotion, so each part keeps its own error rate (Berger, 1982). A row
count n suffices to tell candidates a margin apart from the limit when

    n >= n_now ((z_confidence + z_power) s / margin)^2

with s the standard error of d on the rows of now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import (
    budget,
    difference,
    primary,
    ruling,
    sanity,
    secondary,
    slice_search,
    slices,
)
from driftloop.evaluation.difference import FEWEST_ENTITIES, Interval, Resampled
from driftloop.evaluation.ruling import HOLD, PROMOTE, REJECT, Ruling
from driftloop.evaluation.scoring import MODELS
from driftloop.evaluation.slices import Found, Slice
from driftloop.spec.gate import Gate

SUMMED = (
    *(f"{name}_{what}" for name in MODELS for what in ("loss", "brier", "predicted")),
    "positives",
    "champion_positives",
    "weight",
)
"""Columns of scored rows whose sums the whole is judged by."""

__all__ = ["HOLD", "PROMOTE", "REJECT", "Evidence", "Verdict", "judge"]


@dataclass(frozen=True)
class Evidence:
    """What a candidate is judged by.

    ``scored``: rows that no model has seen, each with its losses (scoring.py); ``columns``: the
    model's, of these rows; ``cost``: the bundle's (bundle/cost.py), where it was measured.
    """

    scored: pd.DataFrame
    columns: tuple[str, ...] = ()
    cost: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What the gate says, with the reasons a person reads; ``lacking``: rows it would take more.

    ``difference``: of the losses, relative; ``predicted``: the candidate's mean prediction over the
    champion's, on the same rows; ``losses``: each model's, a row, by its name.
    """

    verdict: str
    reasons: tuple[str, ...]
    lacking: int = 0
    difference: Interval | None = None
    predicted: float | None = None
    slices: tuple[Found, ...] = ()
    losses: Mapping[str, Interval] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Return the numbers, as they are stored beside the reasons."""
        return {
            "difference": _listed(self.difference),
            "predicted": self.predicted,
            "slices": [asdict(one) | {"interval": _listed(one.interval)} for one in self.slices],
            "lacking": self.lacking,
            "losses": {name: _listed(one) for name, one in self.losses.items()},
        }


def _listed(interval: Interval | None) -> list[float] | None:
    return list(interval) if interval else None


def judge(evidence: Evidence, gate: Gate, cause: str, rng: np.random.Generator) -> Verdict:
    """Return the verdict; without a champion the candidate is the first, and need only be sound.

    ``cause``: of the retraining, several joined by '+'.
    """
    scored, has_champion = evidence.scored, "champion_loss" in evidence.scored
    every = _parts(evidence, gate, rng) if has_champion else []
    small = [one for one in every if _entities(scored, one, gate) < FEWEST_ENTITIES]
    parts = [one for one in every if one not in small]
    columns = _columns(scored, parts)
    drawn = difference.resample(columns, scored[gate.entity], gate.resamples, rng)
    sound, losses = _sound(evidence, drawn, gate, rng), _losses(drawn, gate.confidence)
    if not has_champion:
        whole = ruling.together([Ruling(PROMOTE, ("There is no champion yet.",)), *sound])
        return Verdict(whole.verdict, whole.reasons, losses=losses)
    found = _slices(drawn, parts, scored, gate)
    estimate = drawn.relative("candidate_loss", "champion_loss")
    rulings = [
        primary.judge(estimate, gate, gate.limit(cause), scored),
        *(slices.ruling_of(one, gate.slices.margin, len(scored)) for one in found),
        *secondary.judge(drawn, gate, len(scored)),
        *(_untold(one, scored, gate) for one in small),
        *sound,
    ]
    whole = ruling.together(rulings)
    return Verdict(
        whole.verdict,
        whole.reasons,
        whole.lacking,
        difference=estimate.interval(gate.confidence),
        predicted=_predicted(scored),
        slices=tuple(found),
        losses=losses,
    )


def _losses(drawn: Resampled, confidence: float) -> dict[str, Interval]:
    """Return each model's loss a row."""
    return {
        name: drawn.ratio(f"{name}_loss", "weight").interval(confidence)
        for name in MODELS
        if f"{name}_loss" in drawn.names and "weight" in drawn.names
    }


def _entities(scored: pd.DataFrame, part: Slice, gate: Gate) -> int:
    return int(scored[gate.entity][part.inside].nunique())


def _untold(part: Slice, scored: pd.DataFrame, gate: Gate) -> Ruling:
    """Return that nothing is said of a slice: more rows of the same entities would not help."""
    count = _entities(scored, part, gate)
    return Ruling(PROMOTE, (f"{part.name} is not judged: it has {count} {gate.entity}s only.",))


def _predicted(scored: pd.DataFrame) -> float | None:
    """Return the ratio of mean predictions, each row once, as a rollout counts them."""
    if "candidate_predicted" not in scored:
        return None
    candidate, champion = (
        scored[f"{n}_predicted"] / scored["weight"] for n in ("candidate", "champion")
    )
    return float(candidate.mean() / champion.mean()) if champion.mean() > 0 else None


def _parts(evidence: Evidence, gate: Gate, rng: np.random.Generator) -> list[Slice]:
    own, scored = gate.slices, evidence.scored
    named = slices.named(scored, own.columns, own.min_share)
    if not own.search:
        return named
    return named + slice_search.found(scored, evidence.columns, gate.entity, own.margin, rng)


def _columns(scored: pd.DataFrame, parts: Sequence[Slice]) -> dict[str, Any]:
    """Return what is summed: what the whole is judged by, and both losses within each slice."""
    whole = {name: scored[name].to_numpy("float64") for name in SUMMED if name in scored}
    sides = {
        f"{number} {name}": whole[f"{name}_loss"] * part.inside
        for number, part in enumerate(parts)
        for name in ("candidate", "champion")
    }
    return whole | sides


def _sound(
    evidence: Evidence, drawn: Resampled, gate: Gate, rng: np.random.Generator
) -> list[Ruling]:
    found = [sanity.release(evidence.scored, gate.margin)]
    if "trivial_loss" in drawn.names:
        against = drawn.relative("candidate_loss", "trivial_loss")
        found.append(sanity.trivial(against.interval(gate.confidence)))
    if evidence.columns:
        found.append(sanity.leaked(evidence.scored, evidence.columns, gate, rng))
    if evidence.cost:
        found.append(budget.judge(evidence.cost, gate.budgets))
    return found


def _slices(
    drawn: Resampled, parts: Sequence[Slice], scored: pd.DataFrame, gate: Gate
) -> list[Found]:
    measured = [drawn.relative(f"{n} candidate", f"{n} champion") for n in range(len(parts))]
    unseen = [slices.unseen(scored, part.inside) for part in parts]
    return slices.judge(parts, measured, unseen, gate.slices.margin)
