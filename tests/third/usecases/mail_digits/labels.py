"""Labels: what a row teaches. Here a row is one image, and the digit that a clerk read."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def weighted_labels(rows: pd.DataFrame) -> tuple[NDArray[np.int64], Any, NDArray[np.float64]]:
    """Return (position, class, weight) of every image.

    >>> rows = pd.DataFrame({"category": ["7", "1"], "weight": [1.0, 1.0]})
    >>> [part.tolist() for part in weighted_labels(rows)]
    [[0, 1], ['7', '1'], [1.0, 1.0]]
    """
    positions, weight = np.arange(len(rows)), rows["weight"].to_numpy("float64")
    return positions, rows["category"].to_numpy(object), weight
