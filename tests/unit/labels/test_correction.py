from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from driftloop.labels import audit, correction
from driftloop_contracts.errors import InvalidInput


def world(seed: int, rate: float) -> Any:
    """Return a fit that is scored on clean rows, the labels, the truth and the wrong rows."""
    rng = np.random.default_rng(seed)
    inputs, truth = rng.normal(size=(1500, 4)), rng.integers(0, 2, 1500)
    inputs[:, 0] += 3 * truth
    train = slice(0, 700)
    flips = rng.random(700) < np.where(truth[train] == 1, rate, 0)
    labels = np.where(flips, 1 - truth[train], truth[train])

    def fit_and_score(rows: Any, given: Any) -> Any:
        with threadpool_limits(1):
            model = LogisticRegression().fit(inputs[rows], given)
            p = model.predict_proba(inputs[700:])
        return -np.log(p[np.arange(800), truth[700:]])

    return fit_and_score, labels, truth[train], np.flatnonzero(flips)


@pytest.mark.parametrize("action", ["relabel", "drop"])
def test_fixing_true_errors_is_seen_to_help(action: Any) -> None:
    for seed in range(3):
        score, labels, truth, wrong = world(seed, 0.3)
        rng = np.random.default_rng(seed)
        some, all_of = correction.effects(
            score, labels, wrong, truth, [20, len(wrong)], rng, action=action
        )
        assert all_of.gain.low > 0
        assert all_of.gain.estimate > some.gain.estimate
        assert all_of.gain.estimate == pytest.approx(all_of.before - all_of.after)
        assert "helps" in all_of.sentence()
        assert all_of.to_data()["gain"]["low"] == all_of.gain.low


def test_relabelling_what_was_right_is_not_said_to_help() -> None:
    helped = 0
    for seed in range(12):
        score, labels, truth, _ = world(seed, 0.0)
        rng = np.random.default_rng(seed)
        rows = rng.permutation(700)[:60]
        found = correction.effects(score, labels, rows, 1 - truth, [60], rng)[0]
        helped += found.gain.low > 0
    assert helped == 0


def test_labels_are_not_changed_and_dropped_rows_are_not_learnt_from() -> None:
    seen = []

    def score(rows: Any, labels: Any) -> Any:
        seen.append((rows.tolist(), labels.tolist()))
        return np.ones(3)

    labels = np.array([0, 1, -1, 1])
    found = correction.effects(
        score, labels, np.array([3]), np.zeros(4, int), [1], np.random.default_rng(0), action="drop"
    )
    assert seen == [([0, 1, 3], [0, 1, 1]), ([0, 1], [0, 1])]
    assert labels.tolist() == [0, 1, -1, 1]
    assert found[0].gain == (0, 0, 0)
    assert "not known" in found[0].sentence()


def test_nonsense_gets_a_sentence() -> None:
    labels, rng = np.array([0, 1]), np.random.default_rng(0)
    with pytest.raises(InvalidInput, match="k in the effect"):
        correction.effects(lambda *_: np.ones(2), labels, np.array([0]), labels, [2], rng)
    with pytest.raises(InvalidInput, match="finite number"):
        correction.effects(lambda *_: [np.nan], labels, np.array([0]), labels, [1], rng)


def test_the_audits_rate_has_no_bias_and_its_bounds_hold() -> None:
    rng, found, held = np.random.default_rng(0), [], 0
    for _ in range(600):
        wrong = np.concatenate([rng.random(100) < 0.5, rng.random(1900) < 0.04])
        drawn = 100 + rng.choice(1900, 150, replace=False)
        rows = np.concatenate([np.arange(100), drawn])
        rate = audit.rate(wrong[rows], rows >= 100, 2000)
        found.append(rate.estimate - wrong.mean())
        held += rate.low <= wrong.mean() <= rate.high
    assert abs(np.mean(found)) < 0.002
    assert held >= 0.93 * 600


def test_of_rows_that_nobody_drew_the_audit_knows_nothing() -> None:
    low, _, high = audit.rate([True], [False], 10)
    assert (round(low, 2), round(high, 2)) == (0.1, 1.0)
    with pytest.raises(InvalidInput, match="the reviewed rows"):
        audit.rate([], [], 10)


def test_an_audit_that_is_not_done_yet_has_no_bias() -> None:
    rng, found = np.random.default_rng(1), []
    for _ in range(600):
        wrong = np.concatenate([rng.random(100) < 0.5, rng.random(1900) < 0.04])
        rows = np.concatenate([rng.choice(100, 30), 100 + rng.choice(1900, 100, replace=False)])
        found.append(audit.rate(wrong[rows], rows >= 100, 2000, 100).estimate - wrong.mean())
    assert abs(np.mean(found)) < 0.003
