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


def test_without_requests_of_both_nothing_is_learnt() -> None:
    assert Failures().after((0, 0), (10, 1), 2.0) == Failures()
    assert Failures().after((5, 5), (0, 0), 2.0) == Failures()


def test_evidence_survives_being_stored() -> None:
    one = Failures().after((50, 2), (950, 3), 2.0)
    assert Failures.model_validate_json(one.model_dump_json()) == one
