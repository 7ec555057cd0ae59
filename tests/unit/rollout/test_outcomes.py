"""Mature outcomes as a guardrail: the promised rate of wrong alarms over cohorts, and power."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from driftloop.rollout import outcomes
from driftloop.rollout.outcomes import Beside, Compared, Outcomes
from driftloop.spec.rollout import Guardrails
from driftloop_contracts.errors import InvalidInput

ALLOWED = Guardrails.model_validate({"kpi": "10%", "calibration": "25%"})
ALPHA, SEEDS, COHORTS = 0.05, 600, 8
CANDIDATE, STABLE = "0002-b", "0001-a"


def cohort(rng: np.random.Generator, lasting: np.ndarray, kpi: float, off: float) -> Beside:
    """A day's values: off by what its rows do, and by its entities, which come again."""
    noise = rng.normal(0, 0.01, 4)
    errors = (0.0142, 0.0142)
    return Beside(
        bundles=(CANDIDATE, STABLE),
        weight=float(rng.uniform(100, 1000)),
        groups=64,
        kpi=Compared(
            values=(kpi + noise[0] + lasting[0], 1 + noise[1] + lasting[1]), errors=errors
        ),
        calibration=Compared(
            values=(off + noise[2] + lasting[2], noise[3] + lasting[3]), errors=errors
        ),
    )


def breached(seed: int, kpi: float = 1.0, off: float = 0.0) -> int:
    """Return the cohort at which a guardrail was breached, 0 for never."""
    rng, known = np.random.default_rng(seed), Outcomes()
    lasting = rng.normal(0, 0.01, 4)
    for number in range(1, COHORTS + 1):
        known = known.after(cohort(rng, lasting, kpi, off), CANDIDATE)
        found = known.guardrails(ALLOWED, ALPHA)
        if any(one.standing == "breached" for one in found):
            return number
    return 0


def test_a_candidate_at_the_limit_is_sent_back_no_oftener_than_promised() -> None:
    """A tenth below in the KPI, a quarter off in calibration: two guardrails, alpha each."""
    limits = {"kpi": {"kpi": 0.9}, "calibration": {"off": float(np.log1p(0.25))}}
    for limit in limits.values():
        sent = sum(breached(seed, **limit) > 0 for seed in range(SEEDS))
        assert sent <= stats.binom.ppf(0.999, SEEDS, ALPHA)


@pytest.mark.parametrize("harm", [{"kpi": 0.75}, {"off": 0.5}, {"off": -0.5}])
def test_one_that_is_far_worse_goes_with_the_first_cohort_or_two(harm: dict[str, float]) -> None:
    found = [breached(seed, **harm) for seed in range(100)]
    assert min(found) > 0
    assert max(found) <= 2


def test_a_candidate_no_further_off_than_the_stable_bundle_stays() -> None:
    """After drift both predict too little; the candidate less so."""
    both = Compared(values=(0.5, 0.6), errors=(0.01, 0.01))
    told = Beside(bundles=(CANDIDATE, STABLE), weight=500, groups=64, calibration=both)
    (found,) = Outcomes().after(told, CANDIDATE).guardrails(ALLOWED, ALPHA)
    assert found.standing == "clear"


def test_it_does_not_matter_which_bundle_is_told_first() -> None:
    kpi = Compared(values=(1.0, 2.0), errors=(0.1, 0.2))
    told = Beside(bundles=(CANDIDATE, STABLE), weight=10, groups=30, kpi=kpi)
    turned = Beside(bundles=(STABLE, CANDIDATE), weight=10, groups=30, kpi=kpi.swapped())
    assert Outcomes().after(told, CANDIDATE) == Outcomes().after(turned, CANDIDATE)


def test_nothing_is_guarded_before_the_first_cohort() -> None:
    assert Outcomes().guardrails(ALLOWED, ALPHA) == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"bundles": ["a"], "weight": 1, "groups": 20},
        {"bundles": ["a", "b"], "weight": 0, "groups": 20},
        {"bundles": ["a", "b"], "weight": float("inf"), "groups": 20},
        {"bundles": ["a", "b"], "weight": 1, "groups": 0},
        {"bundles": ["a", "b"], "weight": 1, "groups": 20, "kpi": {"values": [1], "errors": [1]}},
    ],
)
def test_nonsense_is_refused(data: Any) -> None:
    with pytest.raises(InvalidInput, match="beside"):
        outcomes.from_data(data)
