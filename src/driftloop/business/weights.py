"""Weights: how much oftener the judged policy would have chosen what was chosen, and whether that
can be trusted.

A round's weight is pi(a | x) / p, the judged policy's probability of the chosen action over the
logged propensity. Their mean is 1 where the log covers what the judged policy does; it falls short
by the share of its choices that the log never made (Swaminathan and Joachims, 2015).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from driftloop.evaluation.difference import finite
from driftloop_contracts.errors import InvalidInput

Floats = np.ndarray[Any, np.dtype[np.float64]]

WHERE = "the logged rounds"
ENOUGH = 100.0
"""Effective rounds below which the intervals' coverage is not promised."""
SURE = 4.0
"""Standard errors off 1 from which the mean of the weights is no chance."""


@dataclass(frozen=True)
class Diagnostics:
    """What tells whether weights can be trusted.

    ``effective``: rounds of the judged policy itself that would tell as much, (sum w)^2 / sum w^2
    (Kish, 1965), or such groups of rounds, w being a group's sum, where rounds of one rise and fall
    together; ``groups``: how many there are, 0 where each round is by itself; ``mean`` of the
    weights, with its standard ``error``; ``largest``; ``share``: of the weight that the largest
    hundredth of the rounds carries; ``unused``: of rounds whose action the judged policy never
    takes.
    """

    rounds: int
    effective: float
    mean: float
    error: float
    largest: float
    share: float
    unused: float
    groups: int = 0

    @property
    def faults(self) -> tuple[str, ...]:
        """Return a sentence for each reason not to trust the estimate."""
        found = []
        if self.effective < ENOUGH:
            among = f"{self.groups} groups" if self.groups else f"{self.rounds} rounds"
            found.append(
                f"The effective sample size is {self.effective:.0f} of {among}; "
                f"from {ENOUGH:.0f} on the interval keeps its promise."
            )
        if abs(self.mean - 1) > max(SURE * self.error, 1e-9):
            found.append(
                f"The weights have the mean {self.mean:.3f} instead of 1: the propensities are "
                "wrong, or the log never made a part of the judged policy's choices."
            )
        return tuple(found)

    def to_data(self) -> dict[str, Any]:
        """Return the numbers and sentences, JSON-ready."""
        told = {
            "mean_weight": self.mean,
            "mean_weight_error": self.error,
            "largest_weight": self.largest,
            "share_of_largest_hundredth": self.share,
            "unused": self.unused,
        }
        return {
            "rounds": self.rounds,
            "groups": self.groups,
            "effective": self.effective,
            **{name: finite(one) for name, one in told.items()},
            "faults": list(self.faults),
        }


def of(target: ArrayLike, propensity: ArrayLike) -> Floats:
    """Return each round's weight.

    ``propensity``: probability with which the logged policy chose what it chose, in (0, 1];
    ``target``: that of the judged policy for the same action, in [0, 1]. Raise InvalidInput for
    any other number, for rounds of different lengths and for none.

    >>> of([0.5, 0.0], [0.25, 0.75]).tolist()
    [2.0, 0.0]
    """
    logged = checked("propensity", propensity)
    judged = checked("target probability", target, len(logged))
    _refuse("propensity", logged, (logged > 0) & (logged <= 1), "a probability above 0, at most 1")
    _refuse("target probability", judged, (judged >= 0) & (judged <= 1), "a probability")
    with np.errstate(over="ignore"):  # what overflows is refused below
        found: Floats = judged / logged
    _refuse("weight", found, np.isfinite(found), "a finite number: the propensity is too small")
    return found


def checked(name: str, values: ArrayLike, length: int | None = None) -> Floats:
    """Return ``values`` as numbers; raise InvalidInput for none, for NaN and for another length."""
    try:
        found = np.asarray(values, "float64")
    except (TypeError, ValueError):
        raise InvalidInput(name, WHERE, "numbers", type(values).__name__) from None
    if found.ndim != 1 or not len(found):
        raise InvalidInput(name, WHERE, "one number a round, of at least one", list(found.shape))
    if length is not None and len(found) != length:
        raise InvalidInput(name, WHERE, f"{length} numbers, one a round", len(found))
    _refuse(name, found, np.isfinite(found), "a finite number")
    return found


def diagnose(weights: Floats, counts: Floats, group: Any = None) -> Diagnostics:
    """Return what the weights of rounds, each of so many ``counts``, can tell.

    ``group``: codes 0, 1, ... of what rises and falls together; each round by itself if None.

    >>> diagnose(np.ones(4), np.ones(4), np.array([0, 0, 1, 1])).effective
    2.0
    """
    total, rounds = float(counts.sum()), len(weights)
    mean = float((weights * counts).sum() / total)
    residual = (weights - mean) * counts / total
    squares = float((np.square(weights) * counts).sum())
    if group is not None:
        residual = np.bincount(group, residual).astype("float64")
        squares = float(np.square(np.bincount(group, weights * counts)).sum())
    units = len(residual)
    error = math.sqrt(float(np.square(residual).sum()) * units / max(1, units - 1))
    ordered = np.sort(weights * counts)[::-1]
    most = ordered[: max(1, math.ceil(rounds / 100))].sum()
    return Diagnostics(
        rounds=rounds,
        effective=(mean * total) ** 2 / squares if squares else 0.0,
        mean=mean,
        error=error if units > 1 else math.inf,
        largest=float(weights.max()),
        share=float(most / (mean * total)) if mean else 0.0,
        unused=float(counts[weights == 0].sum() / total),
        groups=units if group is not None else 0,
    )


def _refuse(name: str, values: Floats, held: Any, allowed: str) -> None:
    if not held.all():
        place = int(np.argmin(held))
        raise InvalidInput(f"{name} of round {place}", WHERE, allowed, float(values[place]))
