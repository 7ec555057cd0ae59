"""Shadow: a candidate judged by the gate on what the bundle in service answered since.

Nobody sees its answers. The rows are later than all that the gate saw before the release, the
features are those that were served, and the comparison is the gate's own.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from driftloop.evaluation import gate, scoring
from driftloop.evaluation.gate import Evidence, Verdict
from driftloop.evaluation.ruling import POWER
from driftloop.loop import LearningLoop
from driftloop.spec.gate import Gate
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
    policy = case.loop.spec.gate
    sterner = policy.model_copy(update={"confidence": confidence(policy, before)})
    return gate.judge(Evidence(scored), sterner, cause, rng)


def confidence(policy: Gate, before: int) -> float:
    """Return that of the bounds of a judgement after ``before`` others, -1 for the pipeline's own.

    >>> policy = Gate(entity="u", margin="1%", confidence="90%", resamples=100)
    >>> [round(confidence(policy, before), 4) for before in (-1, 0, 1)]
    [0.9, 0.95, 0.9833]
    """
    spent = (before + 1) * (before + 2) if before >= 0 else 1
    return 1 - (1 - policy.confidence) / spent


def rows_needed(rows: int, lacking: int, policy: Gate, before: int) -> int:
    """Return the rows on which the next judgement tells what one on ``rows`` did not.

    Its bounds are wider, so it takes more than the ``lacking`` ones; ``before``: as in
    ``confidence``, of the next one.
    """
    looks = np.array([confidence(policy, before - 1), confidence(policy, before)])
    own, later = special.ndtri(looks) + special.ndtri(POWER)
    return math.ceil((rows + max(lacking, 1)) * float(later / own) ** 2)
