"""Confusion: intervals that hold what they promise, for rows that come in entities."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from driftloop.evaluation import confusion, leakage

NAMES = ("hr", "it", "accounting")
SEEDS = 60


def loop(resamples: int = 200) -> Any:
    gate = SimpleNamespace(entity="who", resamples=resamples)
    objective = SimpleNamespace(classes=NAMES)
    return SimpleNamespace(spec=SimpleNamespace(gate=gate, objective=objective))


def scored(rng: np.random.Generator, recall: float, rows: int = 900) -> pd.DataFrame:
    """Rows of 3 an entity that are right or wrong together; of wrong ones the next is chosen."""
    who = np.arange(rows) // 3
    truth = rng.integers(3, size=rows)
    right = (rng.random(rows // 3) < recall)[who]
    chosen = np.where(right, truth, (truth + 1) % 3)
    frame = {"who": who, "weight": 1.0, "category": np.array(NAMES)[truth]}
    return pd.DataFrame(frame | {"predicted_class": np.array(NAMES)[chosen]})


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        found = confusion.measure(scored(rng, 0.8), loop(), rng)["by_class"]
        low, _, high = found["recall"]["hr"]
        inside += low <= 0.8 <= high
    assert inside >= stats.binom.ppf(0.001, SEEDS, 0.95)


def test_the_numbers_are_those_of_the_matrix() -> None:
    frame = pd.DataFrame(
        {
            "who": range(5),
            "weight": [1.0, 2.0, 1.0, 1.0, 1.0],
            "category": ["hr", "hr", "hr", "it", "it"],
            "predicted_class": ["hr", "hr", "it", "it", "it"],
        }
    )
    found = confusion.measure(frame, loop(), np.random.default_rng(0))["by_class"]
    assert found["confusion"] == [[3, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert found["recall"]["hr"][1] == pytest.approx(0.75)
    assert found["precision"]["it"][1] == pytest.approx(2 / 3)
    assert found["recall"]["accounting"] is None
    assert found["accuracy"][1] == pytest.approx(5 / 6)
    hr, it = 2 * 3 / (4 + 3), 2 * 2 / (2 + 3)
    assert found["macro_f1"][1] == pytest.approx((hr + it) / 2)


def test_a_loop_without_classes_is_told_nothing() -> None:
    none = loop()
    none.spec.objective.classes = ()
    assert confusion.measure(pd.DataFrame(), none, np.random.default_rng(0)) == {}


def test_a_column_that_was_written_after_the_outcome_explains_the_class() -> None:
    rng = np.random.default_rng(5)
    frame = scored(rng, 0.5, rows=6000)
    frame["desk_phone"] = frame["category"].map({"hr": "1", "it": "2", "accounting": "3"})
    frame["noise"] = rng.integers(5, size=len(frame)).astype(str)
    hint = rng.random(len(frame)) < 0.3
    frame["hint"] = np.where(hint, frame["category"], "unknown")
    columns = ["desk_phone", "noise", "hint"]
    found = leakage.explained(frame, columns, "who", rng, "category")
    assert found["desk_phone"] > 0.95
    assert abs(found["noise"]) < 0.02
    assert 0.2 < found["hint"] < 0.4
