"""Class subject: a model of several classes that is analysed, and what of its loop that takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from driftloop.development.actions import WRONG_LABELS
from driftloop.evaluation.difference import Floats
from driftloop.labels import classes as labels


@dataclass(frozen=True)
class Subject:
    """``probabilities``: the model's, [rows, classes], in the order of ``classes``.

    ``inputs``: its columns, texts among them; ``columns``: those whose values may be told;
    ``named``: whose values are parts; ``decidable``: whether a person could tell the class from a
    row, without which no label is called wrong; ``wrong_labels``: see actions.py.
    """

    classes: tuple[str, ...]
    inputs: tuple[str, ...]
    columns: tuple[str, ...]
    entity: str
    probabilities: Callable[[pd.DataFrame], Floats]
    named: tuple[str, ...] = ()
    decidable: bool = False
    wrong_labels: float = WRONG_LABELS

    def given(self, rows: pd.DataFrame, probabilities: Floats) -> Floats:
        """Return of each row the probability that was given to its ``category``."""
        found: Floats = probabilities[np.arange(len(rows)), labels.places(rows, self.classes)]
        return found
