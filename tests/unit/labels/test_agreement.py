from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from driftloop.labels import agreement
from driftloop.labels.votes import Votes
from driftloop_contracts.errors import InvalidInput

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, example C: 12 units, 4 observers.
EXAMPLE = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_alpha_of_the_published_example() -> None:
    found = agreement.alpha(EXAMPLE.T - 1, 5, rng())
    assert found.estimate == pytest.approx(0.743, abs=0.0005)
    assert found.low < 0.743 < found.high


def test_alpha_is_one_where_all_agree_and_near_zero_by_chance() -> None:
    labels = rng().integers(0, 3, 300)
    assert agreement.alpha(np.stack([labels] * 3, 1), 3, rng()).estimate == 1
    random = np.random.default_rng(1).integers(0, 3, (3000, 3))
    found = agreement.alpha(random, 3, rng())
    assert found.low < 0 < found.high


@pytest.mark.parametrize("codes", [[[0, 0], [0, 0]], [[0, -1], [-1, 1]], [[-1, -1]]])
def test_of_one_class_or_no_shared_row_nothing_is_known(codes: Any) -> None:
    said = np.array(codes)
    for found in (agreement.alpha(said, 2, rng()), agreement.kappa(*said.T, 2, rng())):
        assert math.isnan(found.estimate)
        assert (found.low, found.high) == (-1, 1)


def reviewed(seed: int, rows: int) -> Any:
    """Return two reviewers' codes, of which a fifth differ, some rows seen by one alone."""
    own = np.random.default_rng(seed)
    truth = (own.random(rows) < 0.3).astype(int)
    codes = np.stack([np.where(own.random(rows) < 0.1, 1 - truth, truth) for _ in range(2)], 1)
    codes[own.random((rows, 2)) < 0.2] = -1
    return codes


def test_bounds_hold_as_often_as_they_say() -> None:
    large = reviewed(99, 2_000_000)
    true = agreement.alpha(large, 2, rng()).estimate
    both = agreement.kappa(*large.T, 2, rng()).estimate
    held = np.zeros(2)
    for seed in range(200):
        codes = reviewed(seed, 200)
        for place, (found, value) in enumerate(
            [
                (agreement.alpha(codes, 2, rng()), true),
                (agreement.kappa(*codes.T, 2, rng()), both),
            ]
        ):
            held[place] += found.low <= value <= found.high
    assert (held >= 0.9 * 200).all()


def test_each_two_reviewers_that_share_rows_have_a_kappa() -> None:
    codes = np.array([[0, 0, -1], [1, 1, -1], [1, 0, 0], [-1, -1, 1]] * 5)
    found = agreement.of(Votes(codes, ("x", "y", "z"), ("a", "b")), rng())
    assert [(one.measure, one.reviewers) for one in found[1:]] == [
        ("Cohen's kappa", ("x", "y")),
        ("Cohen's kappa", ("x", "z")),
        ("Cohen's kappa", ("y", "z")),
    ]
    assert found[0].rows == 15
    assert found[2].to_data()["value"]["estimate"] == 0
    with pytest.raises(InvalidInput, match="the reviews"):
        agreement.of(Votes(codes[:0], ("x", "y", "z"), ("a", "b")), rng())
