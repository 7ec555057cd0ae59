"""Encoding: a frame's columns as bucket numbers and numbers, by no table that grows with the data.

A category becomes the bucket of the text ``column=category`` (Weinberger et al., 2009, Feature
hashing for large scale multitask learning). Of 2^b buckets, k texts share theirs with another in
a share 1 - exp(-k / 2^b) of the cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction import FeatureHasher

from driftloop.training.moments import Floats

MISSING = "missing"


def buckets(rows: pd.DataFrame, names: Sequence[str], count: int) -> Any:
    """Return the bucket of each category, [rows, names], int32 from 0 to ``count`` - 1.

    >>> rows = pd.DataFrame({"a": ["x", "y", "x"]})
    >>> found = buckets(rows, ["a"], 2**18)[:, 0]
    >>> bool(found[0] == found[2]), bool(found[0] == found[1])
    (True, False)
    """
    hasher = FeatureHasher(count, input_type="string", alternate_sign=False)
    found = np.empty((len(rows), len(names)), "int32")
    for place, name in enumerate(names):
        codes, known = pd.factorize(rows[name])
        texts = [f"{name}={value}" for value in known]
        hashed = hasher.transform([[text] for text in (*texts, f"{name} {MISSING}")])
        # A code of -1, which a missing value has, takes the last.
        found[:, place] = hashed.indices[codes]
    return found


def numbers(rows: pd.DataFrame, names: Sequence[str]) -> Floats:
    """Return the numeric columns, [rows, names]; NaN where one is missing."""
    found: Floats = rows[list(names)].to_numpy("float64", na_value=np.nan)
    return found
