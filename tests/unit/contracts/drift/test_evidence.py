"""Evidence is a number for any counts, however they round."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from driftloop_contracts.drift import evidence
from driftloop_contracts.drift.tally import Tally

COUNTS = st.lists(st.integers(0, 4000), min_size=2, max_size=40)
TESTS = (
    evidence.of_numbers,
    evidence.of_categories,
    evidence.of_missing,
    evidence.of_unseen,
)


def tally(counts: list[int], usual: list[int], missing: int) -> Tally:
    total, whole = sum(counts) + missing, max(1, sum(usual))
    shares = tuple(count / whole for count in usual)
    own = tuple(map(float, counts))
    return Tally(own, float(missing), total, float(total), float(total), shares, 0.01, 1e5)


@given(COUNTS, st.data(), st.integers(0, 50), st.floats(1, 50))
@settings(max_examples=400)
def test_every_test_says_a_probability(
    counts: list[int], data: st.DataObject, missing: int, design_effect: float
) -> None:
    others = st.lists(st.integers(0, 9000), min_size=len(counts), max_size=len(counts))
    usual = data.draw(st.just(counts) | others)
    for test in TESTS:
        found = test(tally(counts, usual, missing), design_effect)
        assert 0 <= found.p_value <= 1
        assert math.isfinite(found.statistic)
        assert 0 <= found.effect <= math.pi


def test_equal_shares_of_any_size_are_no_difference() -> None:
    """Their divergence may round to less than nothing; that once ended the process."""
    rng = np.random.default_rng(0)
    for _ in range(2000):
        counts = rng.integers(1, 10_000, int(rng.integers(2, 60))).tolist()
        for test in TESTS[:2]:
            assert test(tally(counts, counts, 0), 1.0).p_value == 1.0
