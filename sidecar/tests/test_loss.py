"""What is missing, against a plain set of numbers."""

import random

import pytest

from drift_sidecar import loss
from drift_sidecar.loss import Losses, Ranges


@pytest.mark.parametrize("seed", range(20))
def test_missing_is_what_a_set_says_in_any_order_and_with_repeats(seed):
    rng, seen, losses = random.Random(seed), {}, Losses()
    for _ in range(300):
        pod, first = rng.choice("abc"), rng.randrange(2000)
        last = first + rng.randrange(20)
        losses.add(pod, first, last)
        seen.setdefault(pod, set()).update(range(first, last + 1))
        losses = Losses(losses.to_data())
        assert losses.missing == sum(max(s) + 1 - len(s) for s in seen.values())


def test_ranges_stay_bounded_and_count_old_gaps_for_good(monkeypatch):
    monkeypatch.setattr(loss, "MAX_RANGES", 3)
    ranges = Ranges()
    for number in range(1, 41, 2):
        ranges.add(number, number)
    assert ranges.missing == 20
    assert len(ranges.to_data()["ranges"]) == 3
    ranges.add(0, 0)
    assert ranges.missing == 20


def test_pods_stay_bounded_and_keep_their_loss(monkeypatch):
    monkeypatch.setattr(loss, "MAX_PODS", 2)
    losses = Losses()
    for pod in "abcd":
        losses.add(pod, 5, 9)
    assert losses.missing == 20
    assert set(losses.to_data()["pods"]) == {"c", "d"}
