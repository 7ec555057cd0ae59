"""Served: training rows as an inference record would have them, which a drift baseline is made of.

Each text gets its derived columns, and each row the class that was answered. A held-out row has the
answer of the model that was judged on it, which had not seen it; the others have the released
model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from driftloop.features import logged
from driftloop.loop import LearningLoop
from driftloop.training import target
from driftloop.training.target import Answers
from driftloop_contracts import bundle, text
from driftloop_contracts.inference import CHOSEN


@dataclass(frozen=True)
class Told:
    """Rows with what a record holds, the held-out ones (None: no classes), and a bundle's files.

    Where outcomes are classes, ``positives`` of a row is its weight if the answer was right.
    """

    rows: pd.DataFrame
    held_out: pd.DataFrame | None
    files: Mapping[str, bytes]


def of(rows: pd.DataFrame, answers: Answers, scored: pd.DataFrame, loop: LearningLoop) -> Told:
    """Return ``rows`` as they would have been logged.

    ``answers``: the released model's to ``rows``; ``scored``: held-out rows as scoring.py has them.
    """
    features, files = loop.spec.features, {}
    if features.names("text"):
        serving, own = logged.vocabularies(rows, features)
        rows = rows.assign(**logged.derived(rows, features, own))
        files[bundle.VOCABULARY] = text.to_json(serving)
    if answers.chosen is None:
        return Told(rows, None, files)
    right = target.of(loop).judge(answers, rows).positives
    unseen = rows["prediction_id"].map(scored.set_index("prediction_id")[CHOSEN])
    chosen = np.where(unseen.notna(), unseen, answers.chosen)
    return Told(rows.assign(**{CHOSEN: chosen, "positives": right}), scored, files)
