"""Off-policy: what a policy would have earned, from what another one chose, and how surely.

From rounds with their logged propensity p, reward r and the judged policy's probability pi of the
chosen action, w = pi / p:

    ips   mean(w r)                                   (Horvitz and Thompson, 1952)
    snips sum(w r) / sum(w)                           (Swaminathan and Joachims, 2015)
    dr    mean(q(x, pi) + w (r - q(x, a)))            (Dudik, Langford and Li, 2011)

with q a reward model that never saw the round (reward_model.py). ips and dr are unbiased where the
propensities are right; snips is biased by the order of one over the rounds and is far steadier
where weights vary. Clipped weights, min(w, c), vary less and are biased; the bias is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from driftloop.business import measured, weights
from driftloop.business.measured import Measured
from driftloop.business.weights import Diagnostics, Floats
from driftloop.evaluation.difference import Interval, finite, resample
from driftloop_contracts.errors import InvalidInput

IPS, SNIPS, DR = "ips", "snips", "dr"


class Expected(NamedTuple):
    """A reward model's word, one number a round.

    ``logged``: of the action that was chosen; ``judged``: of what the judged policy would choose,
    on average over its choices.
    """

    logged: Floats
    judged: Floats


@dataclass(frozen=True)
class Rounds:
    """What the log tells of each round, checked.

    ``reward``: summed over the ``count`` equal rounds that a row stands for (weight of the row);
    ``weight``: pi / p; ``group``: codes of what rises and falls together, each row itself if None.
    """

    reward: Floats
    weight: Floats
    count: Floats
    expected: Expected | None = None
    group: Any = None

    @property
    def diagnostics(self) -> Diagnostics:
        """Return whether the weights can be trusted."""
        return weights.diagnose(self.weight, self.count, self.group)


@dataclass(frozen=True)
class Value:
    """A policy's value per round by one ``method``, in the rewards' unit.

    ``asymptotic`` and ``bootstrap``: two-sided intervals, by the influence function and by rounds
    (or groups) drawn again, which follows the skew of large weights; ``clip``: the largest weight
    that was let stand, ``clipped`` the share of rounds above it and ``bias`` what it moved the
    estimate by, on the same rounds.
    """

    method: str
    measured: Measured
    asymptotic: Interval
    bootstrap: Interval
    clip: float | None
    clipped: float
    bias: float
    influence: Floats = field(repr=False, compare=False)

    @property
    def value(self) -> float:
        """Return the estimate."""
        return self.measured.value

    def to_data(self) -> dict[str, Any]:
        """Return the numbers, JSON-ready."""
        bounds = {"asymptotic": self.asymptotic, "bootstrap": self.bootstrap}
        told: dict[str, Any] = {"method": self.method, "value": finite(self.value)}
        told |= {name: [finite(x) for x in (i.low, i.high)] for name, i in bounds.items()}
        told |= {"error": finite(self.measured.error), "clip": self.clip}
        return told | {"clipped": self.clipped, "bias": self.bias}


def rounds(
    reward: ArrayLike,
    target: ArrayLike,
    propensity: ArrayLike,
    *,
    count: ArrayLike | None = None,
    expected: Expected | None = None,
    group: ArrayLike | None = None,
) -> Rounds:
    """Return the rounds; raise InvalidInput, naming the first, for what cannot be used.

    ``target`` and ``propensity``: probabilities of the chosen action by the judged policy and by
    the logged one; the others as ``Rounds`` says.

    >>> found = rounds([1.0, 0.0], [1.0, 0.5], [0.5, 0.5])
    >>> found.weight.tolist(), round(found.diagnostics.effective, 1)
    ([2.0, 1.0], 1.8)
    """
    weight = weights.of(target, propensity)
    length = len(weight)
    rewards = weights.checked("reward", reward, length)
    counts = weights.checked("count", np.ones(length) if count is None else count, length)
    if (counts <= 0).any():
        raise InvalidInput("count", weights.WHERE, "above 0", float(counts.min()))
    if expected is not None:
        names = ("expected reward", "expected reward of the judged policy")
        both = zip(names, expected, strict=True)
        expected = Expected(*(weights.checked(name, one, length) for name, one in both))
    codes = None if group is None else pd.factorize(np.asarray(group), use_na_sentinel=False)[0]
    if codes is not None and len(codes) != length:
        raise InvalidInput("group", weights.WHERE, f"{length} values, one a round", len(codes))
    return Rounds(rewards, weight, counts, expected, codes)


def estimate(
    log: Rounds,
    method: str,
    rng: np.random.Generator,
    *,
    clip: float | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Value:
    """Return the judged policy's value per round.

    ``method``: 'ips', 'snips' or 'dr', which needs ``log.expected``. Coverage of both intervals is
    at least 90 % where 95 % is asked, from an effective sample size of 100 on (docs/business.md).
    """
    kept = log.weight if clip is None else np.minimum(log.weight, _positive(clip))
    above, below = _parts(log, method, kept)
    if not below.sum():
        what = "the judged policy"
        raise InvalidInput(what, weights.WHERE, "one that takes an action of the log", "none")
    value = float(above.sum() / below.sum())
    influence = (above - value * below) / float(below.sum())
    found = measured.of_influence(value, influence, log.group)
    whole_above, whole_below = _parts(log, method, log.weight)
    return Value(
        method=method,
        measured=found,
        asymptotic=found.interval(confidence),
        bootstrap=_drawn(Parts(above, below), influence, log, confidence, resamples, rng),
        clip=clip,
        clipped=float((log.weight > kept).mean()),
        bias=value - float(whole_above.sum() / whole_below.sum()),
        influence=influence,
    )


class Parts(NamedTuple):
    """An estimate's numerator and denominator, one number a row each."""

    above: Floats
    below: Floats


def _parts(log: Rounds, method: str, weight: Floats) -> Parts:
    if method == IPS:
        return Parts(weight * log.reward, log.count)
    if method == SNIPS:
        return Parts(weight * log.reward, weight * log.count)
    if method != DR:
        raise InvalidInput("method", "an off-policy estimate", f"one of {[IPS, SNIPS, DR]}", method)
    if log.expected is None:
        raise InvalidInput("expected rewards", weights.WHERE, "present for 'dr'", "nothing")
    residual = log.reward - log.count * log.expected.logged
    return Parts(log.count * log.expected.judged + weight * residual, log.count)


def _drawn(
    parts: Parts,
    influence: Floats,
    log: Rounds,
    confidence: float,
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Return the interval over rounds, or groups, drawn again: bias-corrected and accelerated.

    Source: Efron and Tibshirani, 1993, ch. 14; the acceleration is of the influence function.
    """
    group = np.arange(len(log.weight)) if log.group is None else log.group
    found = resample(parts._asdict(), pd.Series(group), resamples, rng).ratio("above", "below")
    each = np.bincount(group, influence)
    spread = float(np.square(each).sum()) ** 1.5
    acceleration = float((each**3).sum()) / (6 * spread) if spread else 0.0
    below = (found.drawn < found.value).mean() + (found.drawn == found.value).mean() / 2
    bias = float(special.ndtri(np.clip(below, 1 / resamples, 1 - 1 / resamples)))
    ends = bias + special.ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    # Beyond 1 the formula turns round: the skew is then too much for it.
    levels = special.ndtr(bias + ends / np.maximum(1 - acceleration * ends, 0.1))
    low, high = np.quantile(found.drawn, levels)
    return Interval(float(low), found.value, float(high))


def _positive(clip: float) -> float:
    if not clip > 0:
        raise InvalidInput("clip", "an off-policy estimate", "a number above 0", clip)
    return clip
