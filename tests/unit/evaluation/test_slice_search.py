"""Slices that nobody named: found where there is harm, and hardly ever where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from driftloop.evaluation import gate, slice_search, slices
from driftloop.evaluation.gate import Evidence
from driftloop.evaluation.slices import Found
from driftloop.spec.gate import Gate

SEEDS, ROWS = 60, 20_000
COLUMNS = ("region", "age", "city")


def rows_of(rng: np.random.Generator, harm: float) -> pd.DataFrame:
    """Losses with a tail; ``harm``: of the candidate among the old of one region, 15 % of all."""
    region = rng.integers(3, size=ROWS)
    age = rng.uniform(18, 90, ROWS)
    champion = rng.gamma(0.3, 1.0, ROWS)
    harmed = (region == 1) & (age > 57.6)
    candidate = champion * (0.98 + harm * harmed) * (1 + rng.normal(0, 0.15, ROWS))
    return pd.DataFrame(
        {
            "user": np.arange(ROWS) // 3,
            "region": [f"r{number}" for number in region],
            "age": np.where(rng.random(ROWS) < 0.05, np.nan, age),
            "city": pd.Series(["here", "th{0}re", None])[rng.integers(3, size=ROWS)].to_numpy(),
            "champion_loss": champion,
            "candidate_loss": candidate,
            "release_loss": candidate,
        }
    )


def verdict(rng: np.random.Generator, harm: float, search: bool = True) -> str:
    policy = Gate.model_validate(
        {
            "entity": "user",
            "margin": "1%",
            "confidence": "95%",
            "resamples": 300,
            "slices": {"search": search, "margin": "10%"},
        }
    )
    frame = rows_of(rng, harm).assign(positives=1.0, weight=2.0)
    return gate.judge(Evidence(frame, COLUMNS), policy, "drift", rng).verdict


def test_harm_that_nobody_named_is_stopped() -> None:
    stopped = sum(verdict(np.random.default_rng(s), 0.12) != gate.PROMOTE for s in range(SEEDS))
    assert stopped >= stats.binom.ppf(0.001, SEEDS, 0.95)
    passed = sum(verdict(np.random.default_rng(s), 0.12, False) == gate.PROMOTE for s in range(5))
    assert passed > 0, "without the search nobody would see it"


def test_a_candidate_that_harms_nobody_is_hardly_ever_stopped() -> None:
    stopped = sum(verdict(np.random.default_rng(s), 0.0) != gate.PROMOTE for s in range(SEEDS))
    assert stopped <= stats.binom.ppf(0.999, SEEDS, 0.1)


def test_a_found_slice_says_its_conditions_and_has_the_other_half_only() -> None:
    rng = np.random.default_rng(1)
    frame = rows_of(rng, 0.5)
    (worst, *_) = slice_search.found(frame, COLUMNS, "user", 0.1, rng)
    assert "region = r1" in worst.name
    assert "age > 5" in worst.name
    users = frame["user"][worst.inside]
    assert len(users) < 0.6 * (frame["region"] == "r1").sum()
    assert set(frame["region"][worst.inside]) == {"r1"}


def test_nothing_to_look_at_finds_nothing() -> None:
    rng = np.random.default_rng(1)
    frame = rows_of(rng, 0.5)
    assert slice_search.found(frame, (), "user", 0.1, rng) == []
    assert slice_search.found(frame.head(1), COLUMNS, "user", 0.1, rng) == []


def test_a_suspicion_that_nothing_could_prove_holds_nobody_up() -> None:
    vague = Found("age > 5", 40, 0.2, 0.3, harmed=False, lacking=900, is_found=True)
    assert slices.ruling_of(vague, 0.1, 1000).verdict == gate.PROMOTE
    near = replace(vague, lacking=30)
    assert slices.ruling_of(near, 0.1, 1000).verdict == gate.HOLD
    named = replace(vague, is_found=False)
    assert slices.ruling_of(named, 0.1, 1000).verdict == gate.HOLD


@pytest.mark.parametrize("odd", [1e39, np.inf, -np.inf])
def test_a_value_beyond_all_measure_ends_no_search(odd: float) -> None:
    rng = np.random.default_rng(1)
    frame = rows_of(rng, 0.5)
    frame.loc[0, "age"] = odd
    assert slice_search.found(frame, COLUMNS, "user", 0.1, rng)
