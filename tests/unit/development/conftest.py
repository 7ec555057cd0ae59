"""Worlds in which it is known how the model fails: in region A, in one of five ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.linear_model import LogisticRegression

COLUMNS = ("region", "x", "z")
KINDS = ("noise", "label", "missing feature", "shift", "underfit")
REGIONS = np.array(list("ABCDE"))
WRONG = 0.25
"""Share of labels that are turned over in region A, where labels are what is wrong."""


class World(NamedTuple):
    early: pd.DataFrame
    late: pd.DataFrame
    probability: np.ndarray[tuple[int], np.dtype[np.float64]]


def world(kind: str, seed: int, rows: int = 12_000, weights: int = 1) -> World:
    """Rows of entities with 40 each; the model is linear, or right where only noise is left."""
    rng = np.random.default_rng(seed)
    late = np.arange(rows) >= rows * 0.6
    user = rng.integers(rows // 40, size=rows)
    region = rng.integers(5, size=rows)
    if kind == "shift":
        newly = rng.random(rows) < np.where(late, 0.3, 0.003)
        region = np.where(newly, 0, rng.integers(1, 5, size=rows))
    x, z, inside = rng.normal(size=rows), rng.normal(size=rows), region == 0
    odds = -0.5 + 2.2 * x - 1.5 * z + np.array([0.3, -0.3, 0.2, 0.0, -0.2])[region]
    if kind == "noise":
        odds = np.where(inside, 0.4 * x - 0.2 * z, odds)
    elif kind == "underfit":
        odds = np.where(inside, 2.5 * np.sign(x * z), odds)
    elif kind == "shift":
        odds = np.where(inside, 1.5 - 2 * x, odds)
    elif kind == "missing feature":
        odds = odds + np.where(inside, rng.normal(0, 1.8, rows // 40)[user], 0)
    truth, suspicion = _drawn(odds, inside & (kind == "label"), rng)
    frame = pd.DataFrame(
        {
            "event_time": _times(rng, rows), "user": user, "region": REGIONS[region], "x": x,
            "z": z, "weight": float(weights), "positives": truth * weights,
            "suspicion": suspicion,
        }
    )  # fmt: skip
    probability = special.expit(odds) if kind == "noise" else _linear(frame, late)
    return World(frame[~late], frame[late], probability[late])


def _drawn(odds, turned, rng):
    truth = (rng.random(len(odds)) < special.expit(odds)).astype(float)
    wrong = turned & (rng.random(len(odds)) < WRONG)
    # As a detector that is often, not always, right would score them.
    suspicion = np.clip(0.6 * wrong + rng.uniform(0, 0.05, len(odds)), 0, 1)
    return np.where(wrong, 1 - truth, truth), suspicion


def _times(rng, rows):
    days = pd.to_timedelta(np.sort(rng.random(rows)) * 40, unit="D")
    return pd.Timestamp("2026-01-01", tz="UTC") + days


def _linear(frame, late):
    marks = (frame["region"].to_numpy()[:, None] == REGIONS[1:]).astype(float)
    inputs = np.column_stack([frame[["x", "z"]], marks])
    label = frame["positives"] / frame["weight"]
    return LogisticRegression(C=10).fit(inputs[~late], label[~late]).predict_proba(inputs)[:, 1]


@pytest.fixture(scope="session")
def made() -> Callable[..., World]:
    return world
