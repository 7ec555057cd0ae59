"""A column that knows the outcome is told from features that merely predict it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from driftloop.evaluation import leakage

ROWS = 20_000
COLUMNS = ("relevance", "device", "refund", "amount")


def rows_of(rng: np.random.Generator, rate: float) -> pd.DataFrame:
    relevance = rng.normal(size=ROWS)
    came = rng.random(ROWS) < special.expit(special.logit(rate) + 1.5 * relevance)
    return pd.DataFrame(
        {
            "user": np.arange(ROWS) // 2,
            "relevance": relevance,
            "device": pd.Series(["phone", "desk", None])[rng.integers(3, size=ROWS)].to_numpy(),
            # Written after the outcome, with a slip now and then.
            "refund": np.where(came ^ (rng.random(ROWS) < 0.001), "yes", None),
            "amount": np.where(came, rng.uniform(1, 50, ROWS), np.nan),
            "positives": came.astype(float),
            "weight": np.ones(ROWS),
        }
    )


@pytest.mark.parametrize("rate", [0.5, 0.05])
def test_what_was_written_after_the_outcome_explains_most_of_it(rate: float) -> None:
    rng = np.random.default_rng(0)
    found = leakage.explained(rows_of(rng, rate), COLUMNS, "user", rng)
    assert min(found["refund"], found["amount"]) > 0.8
    assert 0.05 < found["relevance"] < 0.6
    assert abs(found["device"]) < 0.01


def test_too_few_outcomes_say_nothing() -> None:
    rng = np.random.default_rng(0)
    frame = rows_of(rng, 0.05).assign(positives=0.0)
    assert leakage.explained(frame, COLUMNS, "user", rng) == {}
