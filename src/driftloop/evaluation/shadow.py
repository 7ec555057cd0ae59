"""Shadow: a candidate judged by the gate on what the bundle in service answered since.

Nobody sees its answers. The rows are later than all that the gate saw before the release, the
features are those that were served, and the comparison is the gate's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from driftloop.evaluation import gate, scoring
from driftloop.evaluation.gate import Evidence, Verdict
from driftloop.loop import LearningLoop
from driftloop.usecase import UseCase
from driftloop_contracts.inference import CATEGORY, STANDS_FOR

CAUSE = "shadow"
"""Where the gate said yes to what the retraining's cause asks, a candidate must not be worse."""


def columns(loop: LearningLoop) -> list[str]:
    """Return the columns of the inference log that a judgement needs."""
    spec = loop.spec
    names = ["prediction_id", "event_time", "weight", STANDS_FOR, spec.gate.entity]
    logged = [*names, *spec.gate.slices.columns, *spec.features.names()]
    # Of classes, what the outcome was is no column of the log: labels tell it.
    told = {CATEGORY} - {*names} if spec.objective.classes else set()
    return [name for name in dict.fromkeys(logged) if name not in told]


def judge(
    case: UseCase,
    rows: pd.DataFrame,
    candidate: Path,
    stable: Path,
    *,
    before: int,
    rng: np.random.Generator,
    cause: str = CAUSE,
) -> Verdict:
    """Return the gate's verdict on mature ``rows``; ``candidate``, ``stable``: files of the models.

    ``before``: judgements on fewer of these rows, which said hold: the k-th one spends its own part
    of the chance of an error, 1 / (k (k + 1)). ``cause``: of the retraining, where the gate held
    the candidate and owes an answer to it. What the gate asked of the bundle itself, its costs
    and its columns, is not asked again.
    """
    models = {"candidate": candidate, "release": candidate, "champion": stable}
    scored = scoring.losses(case, rows, models)
    policy, spent = case.loop.spec.gate, (before + 1) * (before + 2)
    sterner = policy.model_copy(update={"confidence": 1 - (1 - policy.confidence) / spent})
    return gate.judge(Evidence(scored), sterner, cause, rng)
