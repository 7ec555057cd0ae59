"""Labels: what a row teaches. Here a row is one visit that was returned from, or not."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def weighted_labels(
    rows: pd.DataFrame,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return (position, label, weight): of ``weight`` visits ``positives`` were returned from.

    >>> rows = pd.DataFrame({"positives": [1.0, 0.0], "weight": [1.0, 1.0]})
    >>> [part.tolist() for part in weighted_labels(rows)]
    [[0, 1], [1.0, 0.0], [1.0, 1.0]]
    """
    positives, weight = rows["positives"].to_numpy("float64"), rows["weight"].to_numpy("float64")
    positions = np.repeat(np.arange(len(rows)), 2)
    labels = np.tile([1.0, 0.0], len(rows))
    weights = np.stack([positives, weight - positives], axis=1).ravel()
    kept = weights > 0
    return positions[kept], labels[kept], weights[kept]
