"""Promise: what a round would bring under another objective's policy, against what it brings now.

Both are judged on the same rounds and in the same unit, the revenue of ``business.prices``, because
two objectives' KPIs have no common scale. The gain is the difference of the judged policy's value
and the logged mean, with the error of that difference: what the rounds have in common cancels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.business import accounts, measured, off_policy
from driftloop.business.measured import Measured
from driftloop.business.off_policy import Rounds, Value
from driftloop.business.weights import Diagnostics
from driftloop.evaluation.difference import FEWEST_ENTITIES, Interval
from driftloop.spec.business import Business, judged_column
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import PROPENSITY


@dataclass(frozen=True)
class Promise:
    """What the objective ``name`` promises per round; ``current``: the logged policy's mean.

    ``value``: its policy's by the estimate that is decided on; ``gain``: value - current;
    ``others``: the same by the other methods, to compare; ``fault``: why there are no numbers,
    '' where there are.
    """

    name: str
    current: Measured
    value: Value
    gain: Measured
    diagnostics: Diagnostics
    others: tuple[Value, ...] = ()
    fault: str = ""

    @property
    def faults(self) -> tuple[str, ...]:
        """Return a sentence for each reason not to decide by it; none for a sound one."""
        if self.fault:
            return (self.fault,)
        few = (
            f"The rounds are of {self.gain.groups} independent groups; "
            f"from {FEWEST_ENTITIES} on their errors are known."
        )
        return self.diagnostics.faults + ((few,) if self.gain.groups < FEWEST_ENTITIES else ())

    def to_data(self, confidence: float) -> dict[str, Any]:
        """Return the promise, JSON-ready."""
        return {
            "name": self.name,
            "current": self.current.to_data(confidence),
            "value": self.value.to_data(),
            "gain": self.gain.to_data(confidence),
            "others": [one.to_data() for one in self.others],
            **self.diagnostics.to_data(),
            "faults": list(self.faults),
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
    passed over. A round's reward is what its row brings by ``business.prices``. Rounds that no
    estimate can be made of give a promise with a fault: one alternative's log spoils no review.
    """
    found = []
    for name in (one.name for one in business.alternatives):
        judged = judged_column(name)
        if judged not in rows or PROPENSITY not in rows:
            continue
        chosen = rows[rows[[PROPENSITY, judged]].notna().all(axis=1)]
        if chosen.empty:
            continue
        try:
            found.append(_of_chosen(name, chosen, business, rng, entity))
        except InvalidInput as error:
            found.append(_faulty(name, len(chosen), f"Not judged: {error}"))
    return found


def _of_chosen(
    name: str, chosen: pd.DataFrame, business: Business, rng: np.random.Generator, entity: str
) -> Promise:
    log = off_policy.rounds(
        accounts.revenue(chosen, business),
        chosen[judged_column(name)],
        chosen[PROPENSITY],
        count=chosen["weight"],
        group=chosen[entity],
    )
    return judge(name, log, rng, confidence=business.confidence)


def _faulty(name: str, rounds: int, fault: str) -> Promise:
    """Return a promise of no numbers."""
    nothing, nowhere = Measured(math.nan, math.inf, 0), Interval(math.nan, math.nan, math.nan)
    value = Value(off_policy.SNIPS, nothing, nowhere, nowhere, None, 0.0, 0.0, np.zeros(0))
    diagnostics = Diagnostics(rounds, 0.0, math.nan, math.inf, math.nan, math.nan, math.nan)
    return Promise(name, nothing, value, nothing, diagnostics, fault=fault)
