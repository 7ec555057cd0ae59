"""Sanity: a candidate that is no model of what it is to predict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from driftloop.evaluation import leakage
from driftloop.evaluation.difference import Interval
from driftloop.evaluation.ruling import PROMOTE, REJECT, Ruling, told
from driftloop.spec.gate import Gate
from driftloop_contracts.inference import CATEGORY


def release(scored: pd.DataFrame, margin: float) -> Ruling:
    """Refuse a model to release that is not the one judged.

    ``scored``: ``release_loss`` and ``candidate_loss`` of each row; the first has seen the rows.
    """
    final, judged = scored["release_loss"].sum(), scored["candidate_loss"].sum()
    if final <= judged * (1 + margin):
        return Ruling(PROMOTE)
    reason = (
        f"The final fit is {final / judged - 1:.2%} worse than the judged one on rows "
        "that it was even fitted on."
    )
    return Ruling(REJECT, (reason,))


def trivial(difference: Interval) -> Ruling:
    """Refuse a candidate surely worse than always saying the training rows' rate.

    ``difference``: of its loss to that one's, relative.
    """
    if difference.low <= 0:
        return Ruling(PROMOTE)
    reason = (
        "It is worse than always predicting the training rows' rate: loss differs by "
        f"{told(difference)}."
    )
    return Ruling(REJECT, (reason,))


def leaked(
    scored: pd.DataFrame, columns: Sequence[str], gate: Gate, rng: np.random.Generator
) -> Ruling:
    """Refuse a candidate with a column that explains too much of the outcomes by itself."""
    truth = CATEGORY if "candidate_positives" in scored else ""  # as scoring tells classes
    explained = leakage.explained(scored, columns, gate.entity, rng, truth)
    reasons = tuple(
        f"{name} alone explains {share:.0%} of the outcomes' deviance, above {gate.leakage:.0%}: "
        "it seems to be written after the outcome."
        for name, share in explained.items()
        if share > gate.leakage
    )
    return Ruling(REJECT if reasons else PROMOTE, reasons)
