"""Rare positives: a model that says no to everything is found, one with skill is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.evaluation import imbalance, positives, ranking
from driftloop_contracts.errors import InvalidInput

ROWS, USERS = 10_000, 300


def scored(seed: int, skill: float, rate: float, rows: int = ROWS) -> pd.DataFrame:
    """Return rows whose probabilities know ``skill`` of the log-odds, and are calibrated."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=rows)
    true = 1 / (1 + np.exp(-(np.log(rate) + skill * signal - skill**2 / 2)))
    told = true if skill else rate * np.exp(0.02 * rng.normal(size=rows))
    return pd.DataFrame(
        {
            "weight": 1.0,
            "positives": (rng.random(rows) < true).astype("float64"),
            "probability": told,
            "user": rng.integers(0, USERS, rows),
        }
    )


def test_a_model_without_skill_is_rarely_taken_for_skilled() -> None:
    """At most 5 % of 200 such models, within three standard errors, at 4 and at 40 positives."""
    for rate in (4e-4, 4e-3):
        skilled = sum(
            imbalance.says_no_to_everything(scored(seed, 0, rate), "user").has_skill
            for seed in range(200)
        )
        assert skilled / 200 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200), rate


def test_it_is_found_and_sends_the_loop_back() -> None:
    """Of 20 models without skill at least 17; the others are luck."""
    many = [
        imbalance.says_no_to_everything(scored(seed, 0, 5e-4), "user", known=30, parameters=50)
        for seed in range(20)
    ]
    assert sum(one.found for one in many) >= 17
    found = next(one for one in many if one.found)
    assert found.accuracy == found.accuracy_of_no > 0.999
    back = found.returned()
    assert back is not None
    assert (back.rule, back.target.value) == ("few_positives", "data_engineering")
    for part in (f"{found.positives:.0f} positives", "always saying no has", f"{found.needed}"):
        assert part in back.reason


def test_one_with_skill_is_not_found_though_nothing_reaches_the_threshold() -> None:
    """A click model never says yes at 50 %, and is worth its place: 20 seeds."""
    for seed in range(20):
        found = imbalance.says_no_to_everything(scored(seed, 1.0, 5e-3), "user")
        assert found.caught < 0.01
        assert found.has_skill
        assert found.returned() is None


def test_one_that_catches_positives_is_not_found() -> None:
    rows = scored(1, 0, 2e-3)
    rows["probability"] = np.where(rows["positives"] > 0, 0.9, 0.01)
    assert not imbalance.says_no_to_everything(rows).found


def test_enough_positives_without_skill_are_no_lack_of_positives() -> None:
    found = imbalance.says_no_to_everything(scored(1, 0, 2e-2))
    assert found.found
    assert not found.is_short
    assert found.returned() is None


def test_no_positive_at_all_is_said() -> None:
    rows = scored(1, 0, 1e-3).assign(positives=0.0)
    found = imbalance.says_no_to_everything(rows, "user")
    assert found.returned() is not None
    assert "one class alone" in found.sentence


def test_positives_to_judge_give_the_power_that_is_promised() -> None:
    """Models of an area of 0.7 are told from chance in about 85 % of 400 samples."""
    wanted, rng = positives.to_judge(0.7), np.random.default_rng(7)
    shift = 0.7416  # of two normal distributions whose area is 0.7
    seen = 0
    for _ in range(400):
        values = np.r_[rng.normal(shift, 1, wanted), rng.normal(0, 1, 3000)]
        k, ones = np.r_[np.ones(wanted), np.zeros(3000)], np.ones(wanted + 3000)
        found = ranking.rank(values, k, ones, np.arange(len(k)))
        assert found is not None
        seen += found.interval(0.95).low > 0.5
    assert 0.75 < seen / 400 < 0.95


def test_aggregates_count_as_their_impressions() -> None:
    rows = scored(4, 1.0, 2e-2, 4000)
    both = pd.concat([rows, rows], ignore_index=True)
    half = rows.assign(weight=2.0, positives=rows["positives"] * 2)
    one, two = (imbalance.says_no_to_everything(frame, "user") for frame in (both, half))
    assert one.average_precision == pytest.approx(two.average_precision)
    assert one.area == pytest.approx(two.area)
    assert one.loss == pytest.approx(two.loss)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"probability": 1.5}, "a row"),
        ({"probability": float("nan")}, "a row"),
        ({"positives": 2.0}, "a row"),
        ({"weight": "many"}, "a row"),
    ],
)
def test_nonsense_is_refused(change: dict[str, Any], what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        imbalance.says_no_to_everything(scored(1, 0, 1e-2, 100).assign(**change))


def test_a_missing_column_and_an_empty_frame_are_named() -> None:
    rows = scored(1, 0, 1e-2, 100)
    with pytest.raises(InvalidInput, match="user_id"):
        imbalance.says_no_to_everything(rows, "user_id")
    with pytest.raises(InvalidInput, match="rows"):
        imbalance.says_no_to_everything(rows[:0])
