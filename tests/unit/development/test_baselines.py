"""A model that is better than a rule is hardly ever sent back, one that is not is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from driftloop.development import baselines
from driftloop.development.baselines import BETTER, NO_BETTER, Comparison
from driftloop_contracts.errors import InvalidInput

COLUMNS = ("a", "b", "word")
SEEDS = 12


def compared(seed: int, gain: str, rows: int = 4_000) -> Comparison:
    """``gain``: 'much' is the truth, 'none' the very rule that generated the outcomes."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    steps = np.where(a > 0.3, 1.0, -1.0)
    odds = 1.2 * a - 1.2 * b if gain == "much" else steps
    frame = pd.DataFrame(
        {
            "user": rng.integers(200, size=rows), "a": a, "b": b,
            "word": rng.choice(["x", "y", None], rows), "weight": 1.0,
            "positives": 1.0 * (rng.random(rows) < special.expit(odds)),
        }
    )  # fmt: skip
    half = rows // 2
    return baselines.compare(
        frame[:half], frame[half:], special.expit(odds[half:]), COLUMNS, "user", rng
    )


def test_a_better_model_is_called_better_and_stays() -> None:
    found = [compared(seed, "much") for seed in range(SEEDS)]
    assert all(one.standing == BETTER for one in found)
    assert all(one.returned is None for one in found)


def test_a_model_that_is_the_rule_is_hardly_called_better() -> None:
    """The rule had to learn its two rates, so the model is ahead by a trifle."""
    found = [compared(seed, "none", 12_000) for seed in range(SEEDS)]
    better = sum(one.standing == BETTER and one.best.difference.estimate < -0.01 for one in found)
    assert better <= stats.binom.ppf(0.999, SEEDS, 0.05)
    back = [one.returned for one in found if one.standing == NO_BETTER]
    assert len(back) >= SEEDS // 2
    assert all(one is not None and one.rule == "no_better" for one in back)
    assert "on 6000 rows" in back[0].reason


def test_the_best_column_and_the_rule_are_the_true_ones() -> None:
    one = compared(1, "none")
    said = {base.name: base.said for base in one.baselines}
    assert said["column"] == "the rates by a"
    assert "on a" in said["rule"]
    assert one.best.name in ("rule", "column")
    assert set(one.metrics()) == {"column_loss", "rule_loss"}


def test_columns_that_are_missing_throughout_are_no_trouble() -> None:
    rows = pd.DataFrame(
        {"user": np.arange(400), "a": np.nan, "word": None, "weight": 1.0,
         "positives": np.tile([0.0, 1.0], 200)}
    )  # fmt: skip
    rng = np.random.default_rng(0)
    one = baselines.compare(rows, rows, np.full(400, 0.5), ["a", "word"], "user", rng)
    assert one.standing != BETTER


def test_no_probability_is_refused() -> None:
    rows = pd.DataFrame({"user": [1], "a": [1.0], "weight": 1.0, "positives": 1.0})
    with pytest.raises(InvalidInput, match="a probability in the held-out rows"):
        baselines.compare(rows, rows, np.array([np.nan]), ["a"], "user", np.random.default_rng(0))
