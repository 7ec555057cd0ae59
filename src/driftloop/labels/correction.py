"""Correction: what the metric gains where the most suspect labels are fixed.

The same model is fitted on the labels as they are and on the labels with the first k of the suspect
rows relabelled, or dropped, and both are scored on the same held-out rows, whose losses are drawn
again in pairs. The held-out labels must be better than those that are fixed, reviewed ones at best:
by labels with the same errors a right correction can look like a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from driftloop.evaluation.difference import Interval, resample
from driftloop.labels.classes import NONE, Codes
from driftloop.labels.proportion import CONFIDENCE
from driftloop_contracts.errors import InvalidInput

Action = Literal["relabel", "drop"]
FitAndScore = Callable[[Codes, Codes], Any]
"""Fits on the rows at the positions with their labels; returns each held-out row's loss."""
RESAMPLES = 2000
WHERE = "the effect of fixing labels"


@dataclass(frozen=True)
class Effect:
    """Of fixing the ``k`` most suspect rows: mean loss before and after, and the gain.

    ``gain``: before - after a row, between its two-sided 95 % bounds; above 0 is better.
    """

    k: int
    action: str
    before: float
    after: float
    gain: Interval

    def sentence(self) -> str:
        """Return what fixing brings, or that it is not known to bring anything."""
        low, gain, high = self.gain
        verb = "Relabelling" if self.action == "relabel" else "Dropping"
        said = "helps" if low > 0 else "harms" if high < 0 else "is not known to help or to harm"
        share = f", {-gain / self.before:+.1%} of {self.before:.4f}" if self.before else ""
        return (
            f"{verb} the {self.k} most suspect rows {said}: the held-out loss changes by"
            f" {-gain:+.4f} ({-high:+.4f} to {-low:+.4f}){share}."
        )

    def to_data(self) -> dict[str, Any]:
        """Return the effect, ready for JSON."""
        return self.__dict__ | {"gain": self.gain._asdict()}


def effects(
    fit_and_score: FitAndScore,
    labels: Codes,
    suspects: Codes,
    proposed: Codes,
    ks: Sequence[int],
    rng: np.random.Generator,
    *,
    action: Action = "relabel",
    entities: Any = None,
) -> list[Effect]:
    """Return the effect of fixing the first k of ``suspects``, for each of ``ks``.

    ``labels``: the training rows' codes (-1: not learnt from); ``suspects``: their positions, the
    most suspect first; ``proposed``: codes to put in their place, of all rows; ``entities``: of the
    held-out rows, that rise and fall together. Fits once for each k, and once before. Raise
    InvalidInput for a k outside 1 to the number of suspects and for losses that are no numbers.

    >>> said = lambda rows, labels: np.abs(labels.mean() - np.full(50, 1.0))
    >>> found = effects(said, np.array([1, 0, 1]), np.array([1]), np.ones(3, int), [1],
    ...                 np.random.default_rng(0))
    >>> round(found[0].before, 2), found[0].after
    (0.33, 0.0)
    """
    for k in ks:
        if not 0 < k <= len(suspects):
            raise InvalidInput("k", WHERE, f"1 to {len(suspects)} suspect rows", k)
    before = _losses(fit_and_score, labels)
    found = []
    for k in ks:
        fixed = labels.copy()
        fixed[suspects[:k]] = proposed[suspects[:k]] if action == "relabel" else NONE
        after = _losses(fit_and_score, fixed)
        if after.shape != before.shape:
            allowed = f"of {len(before)} held-out rows, as before"
            raise InvalidInput("the losses", WHERE, allowed, after.shape)
        found.append(_effect(k, action, before, after, entities, rng))
    return found


def _losses(fit_and_score: FitAndScore, labels: Codes) -> Any:
    rows = np.flatnonzero(labels != NONE)
    losses = np.asarray(fit_and_score(rows, labels[rows]), "float64")
    if losses.ndim != 1 or not len(losses) or not np.isfinite(losses).all():
        raise InvalidInput("the losses", WHERE, "a finite number for each row", losses.shape)
    return losses


def _effect(
    k: int, action: str, before: Any, after: Any, entities: Any, rng: np.random.Generator
) -> Effect:
    held = pd.Series(np.arange(len(before)) if entities is None else np.asarray(entities))
    columns = {"gain": before - after, "rows": np.ones(len(before))}
    low, gain, high = (
        resample(columns, held, RESAMPLES, rng).ratio("gain", "rows").interval((1 + CONFIDENCE) / 2)
    )
    return Effect(k, action, float(before.mean()), float(after.mean()), Interval(low, gain, high))
