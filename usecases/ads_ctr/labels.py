"""Labels: an aggregate of impressions and clicks as weighted clicks and non-clicks."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def weighted_labels(
    rows: pd.DataFrame,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (position, label, weight): k clicks of n impressions are 1 with k and 0 with n - k.

    >>> rows = pd.DataFrame({"positives": [1.0, 0.0], "weight": [3.0, 2.0]})
    >>> [part.tolist() for part in weighted_labels(rows)]
    [[0, 0, 1], [1.0, 0.0, 0.0], [1.0, 2.0, 2.0]]
    """
    clicks, impressions = rows["positives"].to_numpy("float64"), rows["weight"].to_numpy("float64")
    positions = np.tile(np.arange(len(rows)), 2)
    labels = np.repeat([1.0, 0.0], len(rows))
    weights = np.concatenate([clicks, impressions - clicks])
    # In order of time, so that folds by position are folds by time.
    order = np.argsort(positions, kind="stable")
    order = order[weights[order] > 0]
    return positions[order], labels[order], weights[order]
