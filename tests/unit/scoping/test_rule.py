"""The best rule without ML: found where it is simple, and the use case's own is heard."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from driftloop.scoping import rule
from driftloop_contracts.errors import InvalidInput

COLUMNS = ("age", "city")


def rows(rng: np.random.Generator, depth: int, size: int = 8000) -> pd.DataFrame:
    """Return rows whose rate follows ``depth`` questions."""
    age = np.where(rng.random(size) < 0.05, np.nan, rng.uniform(0, 10, size))
    city = rng.choice(["here", "there", "away"], size)
    rate = np.full(size, 0.3)
    if depth:
        rate = np.where(age > 6, 0.7, 0.1)
    if depth > 1:
        rate = np.where(city == "there", 0.9, rate)
    weight = rng.integers(1, 4, size).astype(float)
    positives = rng.binomial(weight.astype(int), rate).astype(float)
    return pd.DataFrame({"age": age, "city": city, "weight": weight, "positives": positives})


@pytest.mark.parametrize(
    ("depth", "name"), [(0, {"constant"}), (1, {"one threshold", "tree of depth 2"}),
                        (2, {"tree of depth 2"})],
)  # fmt: skip
def test_the_rule_that_made_the_rows_is_found(depth: int, name: set[str]) -> None:
    rng = np.random.default_rng(0)
    early, late = rows(rng, depth), rows(rng, depth, 20_000)
    best = rule.judged(early, late, COLUMNS)[0]
    assert best.rule.name in name or depth == 0
    constant = next(j for j in rule.judged(early, late, COLUMNS) if j.rule.name == "constant")
    assert best.loss <= constant.loss
    if depth:
        assert best.loss < 0.9 * constant.loss
    else:
        assert best.loss > 0.999 * constant.loss


def test_a_yes_or_no_is_given_the_rates_of_the_earlier_rows() -> None:
    rng = np.random.default_rng(0)
    early, late = rows(rng, 1), rows(rng, 1)
    found = rule.judged(early, late, [], {"old": lambda frame: (frame["age"] > 6).to_numpy()})
    assert [one.rule.name for one in found] == ["old", "constant"]
    assert "yes is 0.6" in found[0].rule.says or "yes is 0.7" in found[0].rule.says


def test_a_probability_is_taken_as_it_is() -> None:
    rng = np.random.default_rng(0)
    early, late = rows(rng, 0), rows(rng, 0)
    found = rule.judged(early, late, [], {"half": lambda frame: np.full(len(frame), 0.5)})
    assert found[-1].loss == pytest.approx(np.log(2))


@pytest.mark.parametrize("answer", [[0.5], [2.0] * 8000, [np.nan] * 8000])
def test_an_answer_that_is_none_is_refused(answer: list[float]) -> None:
    early = rows(np.random.default_rng(0), 0)
    with pytest.raises(InvalidInput, match="what 'odd' answers"):
        rule.judged(early, early, [], {"odd": lambda frame: answer})


def test_rows_that_cannot_be_used_are_refused() -> None:
    early = rows(np.random.default_rng(0), 0)
    with pytest.raises(InvalidInput, match="column 'town'"):
        rule.judged(early, early, ["town"])
    with pytest.raises(InvalidInput, match="0 to the weight"):
        rule.judged(early, early.assign(positives=9.0), [])
    with pytest.raises(InvalidInput, match="0 to the weight"):
        rule.judged(early, early.iloc[:0], [])
