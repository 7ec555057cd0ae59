"""Entities that differ for good neither send a sound candidate back nor hide a bad one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from driftloop.rollout.arm import Arm
from driftloop.rollout.contrast import Moments
from driftloop.rollout.entities import FEWEST, GROUPS, Entities, counted, groups_of
from driftloop.rollout.evidence import Evidence
from driftloop.rollout.guardrail import GUARDED
from driftloop.spec.rollout import Guardrails

ALLOWED = Guardrails.model_validate({"alpha": "5%", "prediction": "30%"})
SEEDS, LOOKS = 150, 40


def arm(rng: np.random.Generator, rates: np.ndarray, users: np.ndarray, rows: int) -> Arm:
    """Return what a process did that ``users`` asked, each with a rate of its own."""
    asked = rng.choice(users, rows)
    predicted = rates[asked] * rng.lognormal(0, 0.2, rows)
    square = float((predicted**2).sum())
    groups = asked * 37 % GROUPS  # users are numbered at random
    total = np.bincount(groups, predicted, GROUPS)
    return Arm(
        requests=rows,
        prediction=Moments(n=rows, total=float(predicted.sum()), square=square),
        entities=Entities(
            n=tuple(np.bincount(groups, minlength=GROUPS).tolist()), total=tuple(total.tolist())
        ),
    )


def standing(seed: int, users: int, factor: float = 1.0) -> str:
    """Return how predictions stand in the end, or at their breach; users are split once."""
    rng = np.random.default_rng(seed)
    rates, place = rng.lognormal(-3, 1, users), rng.random(users)
    mine, theirs = np.flatnonzero(place < 0.25), np.flatnonzero(place >= 0.25)
    evidence, found = Evidence(), ""
    for _ in range(LOOKS):
        own, other = arm(rng, rates * factor, mine, 250), arm(rng, rates, theirs, 750)
        evidence = evidence.after(own, other, ALLOWED)
        found = evidence.guardrails(ALLOWED)[2].standing
        if found == "breached":
            break
    return found


@pytest.mark.parametrize("users", [100, 3000])
def test_candidates_that_predict_alike_are_sent_back_no_oftener_than_promised(users: int) -> None:
    sent = sum(standing(seed, users) == "breached" for seed in range(SEEDS))
    assert sent <= stats.binom.ppf(0.999, SEEDS, ALLOWED.alpha / GUARDED)


def test_entities_that_come_all_the_time_do_not_add_wrong_alarms_up() -> None:
    """Each look brings 60 users whom nobody saw before; one looks at each."""
    sent = 0
    for seed in range(SEEDS):
        rng, evidence = np.random.default_rng(seed), Evidence()
        for _ in range(60):
            rates = rng.lognormal(-3, 1, 60)
            sides = [arm(rng, rates, side, 100) for side in np.split(np.arange(60), [20])]
            evidence = evidence.after(*sides, ALLOWED)
            if evidence.guardrails(ALLOWED)[2].standing == "breached":
                sent += 1
                break
    assert sent <= stats.binom.ppf(0.999, SEEDS, ALLOWED.alpha / GUARDED)


def test_one_that_predicts_three_times_as_much_is_found() -> None:
    found = [standing(seed, users=3000, factor=3.0) for seed in range(40)]
    assert found.count("breached") >= 38


def test_of_few_entities_nothing_is_said() -> None:
    assert {standing(seed, users=20, factor=3.0) for seed in range(5)} == {"open"}


@pytest.mark.parametrize("users", [200, 5000])
def test_the_error_is_how_much_another_choice_of_entities_changes_the_mean(users: int) -> None:
    means, errors = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        rates, asked = rng.lognormal(0, 1, users), rng.integers(users, size=4000)
        found = counted(asked, rates[asked])
        means.append(sum(found.total) / sum(found.n))
        errors.append(found.error)
    assert np.median(errors) == pytest.approx(np.std(means), rel=0.2)


def test_what_is_counted_in_parts_is_what_is_counted_at_once() -> None:
    rng = np.random.default_rng(0)
    users, values = rng.integers(90, size=500), rng.normal(size=500)
    values[7] = math.nan
    whole = counted(users, values)
    parts = counted(users[:200], values[:200]) + counted(users[200:], values[200:])
    assert parts.n == whole.n
    assert parts.total == pytest.approx(whole.total)
    assert sum(whole.n) == 499
    rest = whole - counted(users[:200], values[:200])
    assert rest.n == counted(users[200:], values[200:]).n
    assert Entities() + whole == whole - Entities() == whole


def test_few_groups_say_nothing() -> None:
    assert Entities().error == math.inf
    few = counted(np.arange(FEWEST - 5), np.ones(FEWEST - 5))
    assert few.error == math.inf


def test_an_entity_is_one_whatever_it_is_written_as() -> None:
    written = (np.array([7, 8]), np.array(["7", "8"]), np.array([7, "8"], dtype=object))
    assert len({tuple(groups_of(one)) for one in written}) == 1
    spread = np.bincount(groups_of(np.arange(6400)), minlength=GROUPS)
    assert stats.chisquare(spread).pvalue > 1e-6
