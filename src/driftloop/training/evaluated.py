"""Evaluated: what is told of a candidate beside its losses on the held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from driftloop.data import staleness
from driftloop.evaluation import confusion, imbalance, scoring
from driftloop.stages.returned import Returned
from driftloop.training import analysed
from driftloop.training.order import Order
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput

Facts = dict[str, Any]


def facts(
    case: UseCase,
    work: Order,
    parts: tuple[pd.DataFrame, pd.DataFrame],
    losses: pd.DataFrame,
    candidate: Any,
    trained: Facts,
) -> Facts:
    """Return metrics, ``warnings`` for a person, and ``returned``: what sends the loop back.

    ``parts``: the rows before the hold-out and in it; ``losses``: of the latter, as scoring.py has
    them; ``candidate``: the judged model; ``trained``: what train returned. The ``analysis`` of
    errors is among them, and of classes the confusion.
    """
    early, late = parts
    rng, metrics = np.random.default_rng(work.number), scoring.metrics(losses, case.loop)
    newest = max(part["event_time"].max() for part in parts)
    sums = float(early["positives"].sum()), float(early["weight"].sum())
    found: Facts = {"metrics": metrics} | told(case, work, newest, losses, sums)
    found |= confusion.measure(losses, case.loop, rng)
    try:
        own = analysed.of_candidate(case, early, late, candidate, trained, rng)
    except (InvalidInput, ValueError) as error:  # It tells people what to try: no training waits.
        found["warnings"] = [*found["warnings"], f"The errors were not analysed: {error}"]
        return found
    found["returned"] = [*found["returned"], *(back.to_data() for back in own.returned)]
    return found | {"analysis": own.to_data()}


def told(
    case: UseCase,
    work: Order,
    newest: pd.Timestamp,
    losses: pd.DataFrame,
    early: tuple[float, float],
) -> Facts:
    """Return ``warnings`` and ``returned``: of data that are too old, and of too few positives.

    ``newest``: time of the newest row; ``early``: positives and impressions before the hold-out.
    """
    aged = staleness.age(pd.Series([newest]), work.cutoff, case.loop.spec.retrain.max_age)
    backs: list[Returned | None] = [aged.returned()]
    warnings = [aged.sentence] if aged.is_stale else []
    if not case.loop.spec.objective.classes:
        rare = _rare(case, early, losses)
        warnings, backs = [*rare.warnings(), *warnings], [rare.returned(), *backs]
    return {"warnings": warnings, "returned": [back.to_data() for back in backs if back]}


def _rare(case: UseCase, early: tuple[float, float], losses: pd.DataFrame) -> imbalance.NoToAll:
    (known, shown), spec = early, case.loop.spec
    return imbalance.says_no_to_everything(
        losses,
        spec.gate.entity,
        rate=known / shown,
        known=known,
        parameters=len(spec.features.columns),
    )
