"""Failures: the promised rate of wrong alarms under continuous looking, and how soon harm shows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from driftloop.rollout.failures import Failures

ALPHA, SEEDS, LOOKS = 0.05, 400, 200
SHARES = (0.05, 0.25, 0.5)


def breaches(rate: float, factor: float, allowed: float, requests: int = 200) -> list[int]:
    """Return the look at which each seed breached, 0 for never; the share grows on the way."""
    found = []
    for seed in range(SEEDS):
        rng, evidence, at = np.random.default_rng(seed), Failures(), 0
        for look in range(1, LOOKS + 1):
            share = SHARES[min(2, 3 * look // LOOKS)]
            n_c = int(rng.binomial(requests, share))
            sides = [
                (n, int(rng.binomial(n, r)))
                for n, r in ((n_c, rate * factor), (requests - n_c, rate))
            ]
            evidence = evidence.after(sides[0], sides[1], allowed)
            if evidence.breach(ALPHA):
                at = look
                break
        found.append(at)
    return found


@pytest.mark.parametrize(("rate", "factor", "allowed"), [(0.01, 1, 1), (0.01, 2, 2), (0.2, 1, 1)])
def test_a_candidate_at_the_limit_is_hardly_ever_accused(
    rate: float, factor: float, allowed: float
) -> None:
    accused = sum(at > 0 for at in breaches(rate, factor, allowed))
    assert accused <= stats.binom.ppf(0.999, SEEDS, ALPHA)


def test_one_that_fails_often_is_found_while_its_share_is_small() -> None:
    found = breaches(0.001, 100, 2)
    assert min(found) > 0
    assert np.quantile(found, 0.95) <= 20, "twenty looks of ten requests"


def test_what_fails_while_the_other_side_is_idle_is_not_forgotten() -> None:
    evidence = Failures()
    for look in range(40):
        own, other = ((1, 1), (0, 0)) if look % 2 else ((0, 0), (1, 0))
        evidence = evidence.after(own, other, 2.0)
    assert evidence.breach(ALPHA)
    alone = Failures().after((5, 5), (0, 0), 2.0)
    assert (alone.log_evidence, alone.waiting[0]) == (0, (5, 5))


def test_evidence_survives_being_stored() -> None:
    one = Failures().after((50, 2), (950, 3), 2.0)
    assert Failures.model_validate_json(one.model_dump_json()) == one


@pytest.mark.parametrize(("factor", "rate"), [(8.0, 0.01), (16.0, 0.002)])
def test_one_that_fails_far_too_often_is_hardly_ever_cleared(factor: float, rate: float) -> None:
    cleared = 0
    for seed in range(SEEDS):
        rng, evidence = np.random.default_rng(seed), Failures()
        for _ in range(50):
            sides = [
                (100, int(rng.binomial(100, min(1, rate * factor)))),
                (100, int(rng.binomial(100, rate))),
            ]
            evidence = evidence.after(sides[0], sides[1], 2.0)
            if evidence.cleared(ALPHA):
                cleared += 1
                break
    assert cleared <= stats.binom.ppf(0.999, SEEDS, ALPHA)
