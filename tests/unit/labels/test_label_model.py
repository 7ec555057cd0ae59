"""The label model against votes whose truth is known, over many seeds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from driftloop.labels import dependence, label_model
from driftloop.labels.votes import Votes, summaries
from driftloop_contracts.errors import InvalidInput

ACCURACY, COVERAGE = (0.9, 0.8, 0.7, 0.6, 0.55), (0.7, 0.6, 0.8, 0.5, 0.9)
PRIOR = (0.5, 0.3, 0.2)
SEEDS = range(40)


def simulated(seed: int, prior: Any = PRIOR, rows: int = 3000, copies: int = 0) -> Any:
    """Return the truth, independent votes of known confusion (the last copied), and that."""
    rng, classes = np.random.default_rng(seed), len(prior)
    truth = rng.choice(classes, rows, p=prior)
    columns, matrices = [], []
    for accuracy, coverage in zip(ACCURACY, COVERAGE, strict=True):
        others = rng.dirichlet(np.ones(classes - 1), classes) * (1 - accuracy)
        matrix = np.array([np.insert(row, k, accuracy) for k, row in enumerate(others)])
        vote = (rng.random((rows, 1)) > matrix[truth].cumsum(axis=1)).sum(axis=1)
        columns.append(np.where(rng.random(rows) < coverage, np.minimum(vote, classes - 1), -1))
        matrices.append(matrix)
    columns += [columns[-1]] * copies
    names = tuple(f"f{place}" for place in range(len(columns)))
    return truth, Votes(np.stack(columns, 1), names, tuple("abcd"[:classes])), np.array(matrices)


def right(labels: Any, truth: Any, votes: Votes) -> float:
    covered = votes.cast.any(axis=1)
    return float((labels == truth)[covered].mean())


def majority(votes: Votes, rng: np.random.Generator) -> Any:
    """Return the most frequent vote; a tie is drawn."""
    counts = votes.counts()
    return (counts + rng.random(counts.shape) / 2).argmax(axis=1)


@pytest.mark.parametrize("prior", [PRIOR, (0.7, 0.3), (0.25,) * 4])
def test_recovers_confusion_and_beats_the_majority(prior: Any) -> None:
    errors, better = [], 0
    for seed in SEEDS:
        truth, votes, matrices = simulated(seed, prior)
        found = label_model.fit(votes)
        assert found.converged
        errors.append(np.abs(found.confusion - matrices).max())
        usual = right(majority(votes, np.random.default_rng(seed)), truth, votes)
        better += right(found.labels, truth, votes) >= usual
    assert np.median(errors) < 0.08
    assert np.quantile(errors, 0.95) < 0.15
    assert better >= 0.98 * len(SEEDS)


def test_probabilities_are_calibrated_where_voters_are_independent() -> None:
    said, came = [], []
    for seed in SEEDS:
        truth, votes, _ = simulated(seed)
        found = label_model.fit(votes)
        said.append(found.probabilities.ravel())
        came.append((truth[:, None] == np.arange(3)).ravel())
    p, y = np.concatenate(said), np.concatenate(came)
    for low in np.arange(0, 1, 0.1):
        inside = (p >= low) & (p < low + 0.1)
        assert abs(p[inside].mean() - y[inside].mean()) < 0.02


def with_copy(votes: Votes, place: int) -> Votes:
    codes = np.concatenate([votes.codes, votes.codes[:, place : place + 1]], axis=1)
    return Votes(codes, (*votes.voters, "copy"), votes.classes)


def test_copies_make_it_too_sure() -> None:
    surplus = []
    for seed in SEEDS:
        truth, votes, _ = simulated(seed, copies=3)
        found = label_model.fit(votes)
        surplus.append(found.probabilities.max(axis=1).mean() - (found.labels == truth).mean())
    assert np.mean(surplus) > 0.2  # The assumption matters, and the documentation says so.


def test_dependence_is_told_where_there_is_some_and_seldom_else() -> None:
    told, false = 0, 0
    for seed in SEEDS:
        _, votes, _ = simulated(seed)
        both = with_copy(votes, seed % 5)
        pairs = dependence.dependent(both, label_model.fit(both))
        told += bool(pairs)
        false += bool(dependence.dependent(votes, label_model.fit(votes)))
        assert all("not independent" in pair.sentence() for pair in pairs)
    assert told >= 0.9 * len(SEEDS)
    assert false <= 0.05 * len(SEEDS)


def one_sided(seed: int, rows: int = 4000) -> Any:
    """Return truth and votes of functions that each know one class by its words."""
    rng, truth = np.random.default_rng(seed), None
    truth = rng.choice(3, rows, p=PRIOR)
    columns = []
    for k, (hit, stray) in enumerate([(0.5, 0.05), (0.4, 0.02), (0.3, 0.1)] * 2):
        says = rng.random(rows) < np.where(truth == k % 3, hit, stray)
        columns.append(np.where(says, k % 3, -1))
    return truth, Votes(np.stack(columns, 1), tuple("uvwxyz"), ("a", "b", "c"))


def test_one_sided_functions_tell_by_speaking() -> None:
    better, gaps = 0, []
    for seed in SEEDS:
        truth, votes = one_sided(seed)
        found = label_model.fit(votes)
        assert found.abstention == "informative"
        usual = right(majority(votes, np.random.default_rng(seed)), truth, votes)
        better += right(found.labels, truth, votes) >= usual
        covered = found.covered
        sure = found.probabilities.max(axis=1)[covered].mean()
        gaps.append(sure - right(found.labels, truth, votes))
    assert better >= 0.9 * len(SEEDS)
    assert abs(np.mean(gaps)) < 0.02


def test_the_same_votes_give_the_same_model_in_any_order() -> None:
    _, votes, _ = simulated(1)
    order = np.random.default_rng(0).permutation(len(votes.codes))
    shuffled = Votes(votes.codes[order], votes.voters, votes.classes)
    first, second = label_model.fit(votes), label_model.fit(shuffled)
    np.testing.assert_allclose(first.probabilities[order], second.probabilities, atol=1e-9)


def test_rows_without_votes_get_the_prior_and_are_marked() -> None:
    _, votes, _ = simulated(2)
    codes = np.concatenate([votes.codes, np.full((7, 5), -1)])
    found = label_model.fit(Votes(codes, votes.voters, votes.classes))
    assert not found.covered[-7:].any()
    np.testing.assert_allclose(found.probabilities[-7:], np.tile(found.prior, (7, 1)))
    assert any("rows have no vote" in note for note in found.notes)


def test_a_silent_function_changes_nothing() -> None:
    _, votes, _ = simulated(3)
    silent = np.full((len(votes.codes), 1), -1)
    more = Votes(np.concatenate([votes.codes, silent], 1), (*votes.voters, "mute"), votes.classes)
    first, second = label_model.fit(votes), label_model.fit(more)
    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-6)
    assert "These never vote and tell nothing: mute." in second.notes


def test_a_class_that_nobody_votes_for_is_said() -> None:
    _, votes, _ = simulated(4, (0.6, 0.4))
    found = label_model.fit(Votes(votes.codes, votes.voters, ("a", "b", "unseen")))
    assert np.isfinite(found.probabilities).all()
    assert any("unseen" in note for note in found.notes)
    assert (found.labels == 2).mean() < 0.01


@pytest.mark.parametrize("vote", [0, 1])
def test_a_single_function_is_followed_and_a_note_says_how_little_that_is(vote: int) -> None:
    codes = np.where(np.arange(100) < 60, vote, 1 - vote)[:, None]
    found = label_model.fit(Votes(codes, ("only",), ("a", "b")))
    assert (found.labels == codes[:, 0]).all()
    assert any("fewer than three" in note for note in found.notes)


def test_a_given_prior_and_known_labels_are_taken_as_they_are() -> None:
    truth, votes, _ = simulated(5, (0.7, 0.3))
    known = np.where(np.arange(len(truth)) < 300, truth, -1)
    found = label_model.fit(votes, {"a": 0.7, "b": 0.3}, known)
    assert found.prior.tolist() == [0.7, 0.3]
    assert (found.probabilities[np.arange(300), truth[:300]] == 1).all()


@pytest.mark.parametrize("prior", [{"a": 1.0}, {"a": 0.5, "b": 0.6}, {"a": 1.0, "b": 0.0}])
def test_a_prior_that_is_none_is_refused(prior: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="the prior"):
        label_model.fit(simulated(1, (0.7, 0.3))[1], prior)


def test_no_rows_and_no_such_abstention_are_refused() -> None:
    votes = Votes(np.empty((0, 1), dtype=int), ("a",), ("x", "y"))
    with pytest.raises(InvalidInput, match="one row or more"):
        label_model.fit(votes)
    with pytest.raises(InvalidInput, match="abstention"):
        label_model.fit(simulated(1)[1], abstention="some")  # type: ignore[arg-type]


@given(
    arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.integers(-1, 2)),
    st.sampled_from(["auto", "missing", "informative"]),
)
def test_whatever_was_voted_the_probabilities_are_some(codes: Any, abstention: Any) -> None:
    votes = Votes(codes, tuple("vwxyz"[: codes.shape[1]]), ("a", "b", "c"))
    found = label_model.fit(votes, abstention=abstention)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(found.confusion.sum(axis=2), 1)
    assert found.prior.sum() == pytest.approx(1)
    assert found.covered.tolist() == (codes >= 0).any(axis=1).tolist()
    json.dumps(found.to_data(), allow_nan=False)
    json.dumps([one.to_data() for one in summaries(votes)], allow_nan=False)
    dependence.dependent(votes, found)
