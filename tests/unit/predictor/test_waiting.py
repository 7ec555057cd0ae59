"""The queue's bounds, and the rule by which the kept rows stand for those that were dropped."""

from __future__ import annotations

import numpy as np
import pytest

from driftloop.services.predictor.waiting import MAX_FACTOR, Bounds, Waiting


def kept_weight(record) -> float:
    return record.weight * record.factor


@pytest.mark.parametrize(
    ("bounds", "fitting"),
    [
        (Bounds(records=3), 3),
        (Bounds(rows=20), 2),
        (Bounds(size=1), 0),
    ],
    ids=str,
)
def test_each_bound_is_kept(given, bounds, fitting) -> None:
    waiting = Waiting(bounds)
    taken = [waiting.put(given.record(10 * n, rows=10)) for n in range(5)]
    assert taken == [True] * fitting + [False] * (5 - fitting)
    assert len(waiting) == 10 * fitting
    assert waiting.owed == 10.0 * (5 - fitting)


def test_bytes_are_counted_with_texts(given) -> None:
    long = {"relevance": np.zeros(1), "device": np.array(["x" * 1_000_000], dtype=object)}
    waiting = Waiting(Bounds(size=2_500_000))
    assert [waiting.put(given.record(n, features=long)) for n in range(3)] == [True, True, False]
    waiting.take(1)
    assert waiting.put(given.record(3, features=long))


def test_what_is_taken_is_the_oldest_that_fits_one_event(given) -> None:
    waiting = Waiting(Bounds())
    for seq, rows in ((0, 3), (3, 3), (6, 50), (56, 1)):
        waiting.put(given.record(seq, rows=rows))
    assert [record.first_seq for record in waiting.take(6)] == [0, 3]
    assert [record.first_seq for record in waiting.take(6)] == [6]
    assert [record.first_seq for record in waiting.take(6)] == [56]
    assert waiting.take(6) == []


def test_the_next_kept_record_takes_on_what_was_dropped(given) -> None:
    waiting = Waiting(Bounds(records=1))
    waiting.put(given.record(0))
    for seq, weight in ((1, 1.0), (2, 2.5)):
        assert not waiting.put(given.record(seq, weight=weight))
    waiting.take(1)
    waiting.put(given.record(3, rows=2, weight=1.0))
    (record,) = waiting.take(2)
    assert kept_weight(record) == pytest.approx(1.0 + 2.5 + 2.0)
    assert waiting.owed == 0


def test_one_row_does_not_stand_for_an_outage(given) -> None:
    waiting = Waiting(Bounds(records=1))
    waiting.put(given.record(0))
    for seq in range(1, 101):
        waiting.put(given.record(seq))
    factors = []
    for seq in range(101, 120):
        waiting.take(1)
        waiting.put(given.record(seq))
        factors.append(waiting._records[0][0].factor)
    assert factors[:12] == [MAX_FACTOR] * 11 + [2.0]
    assert set(factors[12:]) == {1.0}


def test_kept_and_owed_weight_are_at_every_moment_what_was_put(given) -> None:
    rng = np.random.default_rng(1)
    waiting, put, kept = Waiting(Bounds(records=5, rows=30)), 0.0, []
    for seq in range(3000):
        record = given.record(seq, rows=int(rng.integers(1, 12)), weight=float(rng.integers(1, 9)))
        put += record.weight
        waiting.put(record)
        if rng.random() < 0.3:
            kept += waiting.take(10)
        held = sum(kept_weight(record) for record, _ in waiting._records)
        assert sum(map(kept_weight, kept)) + held + waiting.owed == pytest.approx(put)
    assert max(record.factor for record in kept) <= MAX_FACTOR
    assert sum(record.factor > 1 for record in kept) > 50


def test_a_weighted_sum_over_the_kept_estimates_that_over_all(given) -> None:
    """Over 200 runs in which a third is dropped, whatever the rows hold, the mean error is nil."""
    errors = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        waiting, values, kept = Waiting(Bounds(records=3)), rng.exponential(size=600), []
        for seq in range(600):
            waiting.put(given.record(seq))
            kept += waiting.take(1) if rng.random() < 0.66 else []
        kept += waiting.take(600)
        estimate = sum(values[record.first_seq] * record.factor for record in kept)
        # What is still owed at the end stands for nobody yet.
        errors.append(estimate - values.sum() * (1 - waiting.owed / 600))
    mean, error = np.mean(errors), np.std(errors) / np.sqrt(len(errors))
    assert error < 5.0
    assert abs(mean) < 3 * error
