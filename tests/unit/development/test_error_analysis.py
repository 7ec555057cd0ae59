"""What kind of error a model makes is found where it is known, and hardly ever made up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

from driftloop.development import actions, error_analysis
from driftloop.development.error_analysis import ErrorAnalysis
from driftloop_contracts.errors import InvalidInput

KINDS = ("noise", "label", "missing feature", "shift", "underfit")
COLUMNS = ("region", "x", "z")
SEEDS = range(2)
ROWS = dict.fromkeys(KINDS, 10_000) | {"label": 20_000, "missing feature": 20_000}
"""What it takes: wrong labels of a part and what an entity hides show in thousands of its rows."""


def analysed(world: Any, **others: Any) -> ErrorAnalysis:
    rng = np.random.default_rng(0)
    return error_analysis.analyse(*world, COLUMNS, "user", rng, named=("region",), **others)


@pytest.fixture(scope="module")
def found(made: Callable[..., Any]) -> dict[str, list[ErrorAnalysis]]:
    return {kind: [analysed(made(kind, seed, ROWS[kind])) for seed in SEEDS] for kind in KINDS}


def test_the_kind_of_error_is_the_true_one(found: dict[str, list[ErrorAnalysis]]) -> None:
    table = {kind: Counter(one.failures[0].kind for one in found[kind]) for kind in KINDS}
    right = sum(table[kind][kind] for kind in KINDS)
    assert right >= 0.9 * len(SEEDS) * len(KINDS), table


def test_the_place_is_region_a(found: dict[str, list[ErrorAnalysis]]) -> None:
    places = [one.failures[0].part for kind in KINDS for one in found[kind]]
    assert sum("region = A" in place for place in places) >= 0.9 * len(places), places


def test_noise_is_hardly_ever_explained(made: Callable[..., Any]) -> None:
    """At 5 % for all tests together: of 6 seeds 3 are explained once in 400 such runs."""
    explained = 0
    for seed in range(100, 106):
        kinds = {one.kind for one in analysed(made("noise", seed, 4_000)).failures}
        explained += bool(kinds - {"noise"})
    assert explained <= 2


def test_the_gain_of_a_repair_is_about_what_the_truth_would_gain(
    found: dict[str, list[ErrorAnalysis]],
) -> None:
    """A model that knew region A's interaction would lose 0.26 less of the whole."""
    gains = [one.failures[0].relative for one in found["underfit"]]
    assert 0.15 < np.mean(gains) < 0.35


def test_wrong_labels_are_counted(found: dict[str, list[ErrorAnalysis]]) -> None:
    shares = [one.failures[0].wrong for one in found["label"] if one.failures[0].kind == "label"]
    assert abs(np.mean(shares) - 0.25) < 0.05


def test_given_suspicions_are_believed(made: Callable[..., Any]) -> None:
    one = analysed(made("label", 1, 6_000), suspicion="suspicion")
    assert one.failures[0].kind == "label"
    assert "region = A" in one.failures[0].part
    back = actions.returned(one)
    assert [one.rule for one in back] == ["label_errors"]
    assert "region = A" in back[0].reason


def test_a_missing_column_sends_the_loop_back(found: dict[str, list[ErrorAnalysis]]) -> None:
    back = [actions.returned(one) for one in found["missing feature"]]
    assert any(one and one[0].rule == "missing_feature" for one in back)
    assert all(actions.returned(one) == [] for one in found["noise"])


def test_a_column_that_the_model_lacks_is_named(made: Callable[..., Any]) -> None:
    early, late, probability = made("noise", 2, 8_000)
    rng = np.random.default_rng(5)
    frames, believed = [], probability
    for frame in (early, late):
        odds = 1.5 * frame["x"].to_numpy()
        mark = rng.integers(2, size=len(frame))
        told, other = (special.expit(odds + 1.2 * side) for side in (2 * mark - 1, 1 - 2 * mark))
        positives = 1.0 * (rng.random(len(frame)) < told)
        frames.append(frame.assign(mark=mark.astype(float), positives=positives))
        believed = (told + other) / 2
    one = analysed((*frames, believed), others=("mark",))
    assert "mark" in {f.column for f in one.failures if f.kind == "missing feature"}


def test_actions_are_ranked_by_their_gain(found: dict[str, list[ErrorAnalysis]]) -> None:
    for one in (one for kind in KINDS for one in found[kind]):
        told = actions.ranked(one)
        assert [a.gain for a in told] == sorted((a.gain for a in told), reverse=True)
        assert all(a.part in a.sentence for a in told)


def test_weights_count_as_so_many_rows(made: Callable[..., Any]) -> None:
    one = analysed(made("underfit", 3, 8_000, 5))
    assert one.failures[0].kind == "underfit"


def test_the_same_rows_tell_the_same(made: Callable[..., Any]) -> None:
    first, again = (analysed(made("shift", 1, 6_000)).to_data() for _ in range(2))
    assert first == again


def test_few_entities_and_few_positives_end_in_a_sentence(made: Callable[..., Any]) -> None:
    early, late, p = made("noise", 1, 2_000)
    few = error_analysis.analyse(
        early, late.assign(user=1), p, COLUMNS, "user", np.random.default_rng(0)
    )
    assert few.failures == ()
    assert "Nothing is said of 1 users" in few.note
    none = analysed((early, late.assign(positives=0.0), p))
    assert "fewer than 20 of one outcome" in none.note


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.iloc[:0], "the rows in the held-out rows must be one or more"),
        (lambda f: f.drop(columns="x"), "column 'x' in the held-out rows must be present"),
        (lambda f: f.assign(positives=np.nan), "must be from 0 to weight"),
        (lambda f: f.assign(weight=0.0), "must be 1 or more"),
    ],
)
def test_unfit_frames_are_refused(
    made: Callable[..., Any], change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    early, late, p = made("noise", 1, 2_000)
    with pytest.raises(InvalidInput, match=said):
        analysed((early, change(late), p))
    with pytest.raises(InvalidInput, match="a probability"):
        analysed((early, late, p + 2))
