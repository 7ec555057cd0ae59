"""Promise: what a round would bring under another objective's policy, against what it brings now.

Both are judged on the same rounds and in the same unit, the revenue of ``business.prices``, because
two objectives' KPIs have no common scale. The gain is the difference of the judged policy's value
and the logged mean, with the error of that difference: what the rounds have in common cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.business import accounts, measured, off_policy
from driftloop.business.measured import Measured
from driftloop.business.off_policy import Rounds, Value
from driftloop.business.weights import Diagnostics
from driftloop.spec.business import Business

PROPENSITY = "propensity"
"""The column of the probability with which the present policy chose what it chose; with
``_<alternative>`` after it that of an alternative's policy for the same choice."""


@dataclass(frozen=True)
class Promise:
    """What the objective ``name`` promises per round; ``current``: the logged policy's mean.

    ``value``: its policy's by the estimate that is decided on; ``gain``: value - current;
    ``others``: the same by the other methods, to compare.
    """

    name: str
    current: Measured
    value: Value
    gain: Measured
    diagnostics: Diagnostics
    others: tuple[Value, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """Return a sentence for each reason not to decide by it; none for a sound one."""
        return self.diagnostics.faults

    def to_data(self, confidence: float) -> dict[str, Any]:
        """Return the promise, JSON-ready."""
        return {
            "name": self.name,
            "current": self.current.to_data(confidence),
            "value": self.value.to_data(),
            "gain": self.gain.to_data(confidence),
            "others": [one.to_data() for one in self.others],
            **self.diagnostics.to_data(),
        }


def judge(
    name: str,
    log: Rounds,
    rng: np.random.Generator,
    *,
    clip: float | None = None,
    confidence: float = 0.95,
    resamples: int = 1000,
) -> Promise:
    """Return what the policy of ``log``'s weights promises.

    Decided on is the doubly robust estimate where a reward model is there, else the
    self-normalised one: each is the steadiest of what there is.
    """
    methods = [off_policy.SNIPS, off_policy.IPS]
    if log.expected is not None:
        methods = [off_policy.DR, *methods]
    first, *others = (
        off_policy.estimate(log, method, rng, clip=clip, confidence=confidence, resamples=resamples)
        for method in methods
    )
    total = float(log.count.sum())
    mean = float(log.reward.sum()) / total
    logged = (log.reward - mean * log.count) / total
    return Promise(
        name=name,
        current=measured.of_influence(mean, logged, log.group),
        value=first,
        gain=measured.of_influence(first.value - mean, first.influence - logged, log.group),
        diagnostics=log.diagnostics,
        others=tuple(others),
    )


def of_rows(
    rows: pd.DataFrame, business: Business, rng: np.random.Generator, *, entity: str
) -> list[Promise]:
    """Return what each of ``business.alternatives`` promises whose propensities were logged.

    ``rows``: served rows as ``accounts.periods`` takes them, with ``propensity`` and
    ``propensity_<alternative>``; where one of the two is missing, the row was no choice and is
    passed over. A round's reward is what its row brings by ``business.prices``.
    """
    found = []
    for name in (one.name for one in business.alternatives):
        judged = judged_column(name)
        if judged not in rows or PROPENSITY not in rows:
            continue
        chosen = rows[rows[[PROPENSITY, judged]].notna().all(axis=1)]
        if chosen.empty:
            continue
        log = off_policy.rounds(
            accounts.revenue(chosen, business),
            chosen[judged],
            chosen[PROPENSITY],
            count=chosen["weight"],
            group=chosen[entity],
        )
        found.append(judge(name, log, rng, confidence=business.confidence))
    return found


def judged_column(alternative: str) -> str:
    """Return the column of the probability with which an alternative would have chosen the same.

    >>> judged_column("impressions-first")
    'propensity_impressions_first'
    """
    return f"{PROPENSITY}_{alternative.replace('-', '_')}"
