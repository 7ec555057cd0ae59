"""Mature outcomes as a guardrail: the promised rate of wrong alarms over cohorts, and power."""

from __future__ import annotations

from datetime import UTC, datetime
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
WHEN = {"start": datetime(2026, 3, 1, tzinfo=UTC), "end": datetime(2026, 3, 2, tzinfo=UTC)}
TOLD = {"bundles": ["a", "b"], "weight": 1, "groups": 20} | WHEN


def cohort(rng: np.random.Generator, lasting: np.ndarray, kpi: float, off: float) -> Beside:
    """A day's values: off by what its rows do, and by its entities, which come again."""
    noise = rng.normal(0, 0.01, 4)
    errors = (0.0142, 0.0142)
    return Beside(
        **WHEN,
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
    told = Beside(**WHEN, bundles=(CANDIDATE, STABLE), weight=500, groups=64, calibration=both)
    (found,) = Outcomes().after(told, CANDIDATE).guardrails(ALLOWED, ALPHA)
    assert found.standing == "clear"


@pytest.mark.parametrize("off", [0.6, -0.6])
def test_bundles_that_are_off_alike_are_told_apart_no_oftener_than_promised(off: float) -> None:
    """Both are further off than allowed, by as much; the KPI is one to be kept small."""
    sent = 0
    for seed in range(SEEDS):
        rng, known = np.random.default_rng(seed), Outcomes()
        lasting = rng.normal(0, 0.01, 4)
        for _ in range(COHORTS):
            told = cohort(rng, lasting, kpi=1.0, off=off)
            values = told.calibration.values
            alike = told.calibration.model_copy(update={"values": (values[0], values[1] + off)})
            kept = told.kpi.model_copy(update={"values": tuple(v - 2 for v in told.kpi.values)})
            known = known.after(
                told.model_copy(update={"calibration": alike, "kpi": kept}), CANDIDATE
            )
            if any(one.standing == "breached" for one in known.guardrails(ALLOWED, ALPHA)):
                sent += 1
                break
    assert sent <= stats.binom.ppf(0.999, SEEDS, ALPHA)


def test_a_candidate_at_the_limit_of_a_kpi_below_zero_stays() -> None:
    sent = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        own, other = rng.normal(-1.1, 0.01), rng.normal(-1.0, 0.01)
        kpi = Compared(values=(own, other), errors=(0.01, 0.01))
        told = Beside(**WHEN, bundles=(CANDIDATE, STABLE), weight=1, groups=64, kpi=kpi)
        (found,) = Outcomes().after(told, CANDIDATE).guardrails(ALLOWED, ALPHA)
        sent += found.standing == "breached"
    assert sent <= stats.binom.ppf(0.999, SEEDS, ALPHA)


def test_it_does_not_matter_which_bundle_is_told_first() -> None:
    kpi = Compared(values=(1.0, 2.0), errors=(0.1, 0.2))
    told = Beside(**WHEN, bundles=(CANDIDATE, STABLE), weight=10, groups=30, kpi=kpi)
    turned = Beside(**WHEN, bundles=(STABLE, CANDIDATE), weight=10, groups=30, kpi=kpi.swapped())
    assert Outcomes().after(told, CANDIDATE) == Outcomes().after(turned, CANDIDATE)


def test_nothing_is_guarded_before_the_first_cohort() -> None:
    assert Outcomes().guardrails(ALLOWED, ALPHA) == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"bundles": ["a", "b"], "weight": 1, "groups": 20},
        TOLD | {"bundles": ["a"]},
        TOLD | {"weight": 0},
        TOLD | {"weight": float("inf")},
        TOLD | {"groups": 0},
        TOLD | {"kpi": {"values": [1], "errors": [1]}},
        TOLD | {"kpi": {"values": ["nan", 1], "errors": [1, 1]}},
        TOLD | {"kpi": {"values": [1, 1], "errors": ["inf", 1]}},
        TOLD | {"kpi": {"values": [1, 1], "errors": [1, -1]}},
    ],
)
def test_nonsense_is_refused(data: Any) -> None:
    with pytest.raises(InvalidInput, match="beside"):
        outcomes.from_data(data)
