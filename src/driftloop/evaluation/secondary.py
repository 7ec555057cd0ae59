"""Secondary: metrics in which a candidate may fall behind by no more than a margin."""

from __future__ import annotations

from driftloop.evaluation import ruling
from driftloop.evaluation.difference import Estimate, Resampled
from driftloop.evaluation.ruling import HOLD, PROMOTE, REJECT, Ruling
from driftloop.spec.gate import Gate


def judge(drawn: Resampled, gate: Gate, rows: int) -> list[Ruling]:
    """Return an answer for each metric that has a margin.

    Calibration is that of all rows together: predicted over observed positives.
    """
    found, own = [], gate.secondary
    if own.brier is not None:
        estimate = drawn.relative("candidate_brier", "champion_brier")
        found.append(_within("Its Brier score", estimate, own.brier, gate, rows))
    if own.calibration is not None:
        names = ("candidate_predicted", "champion_predicted", "positives")
        # Of classes each model has positives of its own: those where it chose right.
        other = "champion_positives" if "champion_positives" in drawn.names else ""
        what = "Its ratio of predicted to observed positives"
        estimate = drawn.less_balanced(*names, of_second=other)
        found.append(_within(what, estimate, own.calibration, gate, rows))
    return found


def _within(what: str, estimate: Estimate, margin: float, gate: Gate, rows: int) -> Ruling:
    interval = estimate.interval(gate.confidence)
    verdict = ruling.of_interval(interval, margin)
    if verdict == PROMOTE:
        return Ruling(PROMOTE)
    says = "is" if verdict == REJECT else "may be"
    reason = f"{what} {says} worse beyond the margin of {margin:.1%}: {ruling.told(interval)}."
    if verdict == REJECT:
        return Ruling(REJECT, (reason,))
    lacking = ruling.rows_lacking(rows, estimate.error, margin, gate.confidence)
    return Ruling(HOLD, (reason,), lacking)
