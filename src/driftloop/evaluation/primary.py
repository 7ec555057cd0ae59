"""Primary: the objective's own metric, on all rows."""

from __future__ import annotations

import pandas as pd

from driftloop.evaluation import ruling
from driftloop.evaluation.difference import FEWEST_ENTITIES, Estimate
from driftloop.evaluation.ruling import HOLD, PROMOTE, REJECT, Ruling
from driftloop.spec.gate import Gate

NOT_WORSE = {
    PROMOTE: "is not worse than the champion beyond the margin",
    REJECT: "is worse than the champion beyond the margin",
    HOLD: "cannot be told from the champion within the margin",
}
BETTER = {
    PROMOTE: "is better than the champion",
    REJECT: "is not better than the champion",
    HOLD: "cannot be told to be better than the champion",
}


def judge(estimate: Estimate, gate: Gate, limit: float, scored: pd.DataFrame) -> Ruling:
    """Return whether the candidate keeps ``limit``; if unsure, how many rows it takes.

    ``estimate``: by how much its loss exceeds the champion's, relative.
    """
    interval = estimate.interval(gate.confidence)
    rows, entities = len(scored), scored[gate.entity].nunique()
    verdict = ruling.of_interval(interval, limit)
    if entities < FEWEST_ENTITIES:  # resamples of so few say too little
        verdict = HOLD
    says = f"{NOT_WORSE[verdict]} of {limit:.2%}" if limit else BETTER[verdict]
    reason = (
        f"The candidate {says}: loss differs by {ruling.told(interval)} on {rows} rows of "
        f"{entities} {gate.entity}s."
    )
    if verdict != HOLD:
        return Ruling(verdict, (reason,))
    if entities < FEWEST_ENTITIES:  # More rows of the same ones would not help.
        few = f"A gate judges from {FEWEST_ENTITIES} {gate.entity}s on; choose another gate.entity"
        return Ruling(HOLD, (reason, f"{few} where there are never so many."))
    lacking = ruling.rows_lacking(rows, estimate.error, gate.margin, gate.confidence)
    more = (f"It takes about {lacking} more rows to tell.",) if lacking else ()
    return Ruling(HOLD, (reason, *more), lacking)
