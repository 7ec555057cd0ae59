"""The rule of continue, pivot or end: each case, and its error rates over many lives of a loop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from business_case import business, objective
from scipy import stats

from driftloop.business import look as looks
from driftloop.business import off_policy, promise, review
from driftloop.business.accounts import Period
from driftloop.business.measured import Measured
from driftloop.business.off_policy import Value
from driftloop.business.promise import Promise
from driftloop.business.weights import Diagnostics
from driftloop.evaluation.difference import Interval
from driftloop.stages.rules import RULES

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SOUND = Diagnostics(2000, 800.0, 1.0, 0.02, 6.0, 0.05, 0.1)
ALTERNATIVES = [objective("impressions", "won", kpi={"formula": "won / impressions"}).model_dump()]


def period(number: int = 1, kpi: float = 0.1, profit: float = 100.0, **changes: Any) -> Period:
    start = BEGIN + timedelta(days=30) * (number - 1)
    given: dict[str, Any] = {
        "number": number,
        "start": start,
        "end": start + timedelta(days=30),
        "complete": True,
        "rows": 1000,
        "impressions": 2000.0,
        "positives": 200.0,
        "kpi": Measured(kpi, 0.005, 500),
        "satisfaction": None,
        "revenue": Measured(profit + 50, 10.0, 500),
        "compute_cost": 30.0,
        "labelling_cost": 20.0,
    }
    return Period(**(given | changes))


def promised(gain: float, error: float = 0.01, diagnostics: Diagnostics = SOUND) -> Promise:
    nowhere = Interval(0.0, 0.0, 0.0)
    value = Value(
        "snips", Measured(0.1 + gain, error, 2000), nowhere, nowhere, None, 0, 0, np.zeros(1)
    )
    current = Measured(0.1, 0.005, 2000)
    return Promise("impressions", current, value, Measured(gain, error, 2000), diagnostics)


def decided(*found: Period, gain: Promise | None = None, **terms: Any) -> review.Decision:
    given = {"target": 0.1, "floor": "0 EUR", "reviews": 2, "alternatives": ALTERNATIVES} | terms
    said = [[gain] if gain else [] for _ in found]
    decision = review.review(found, said, objective(), business(**given))
    assert decision is not None
    return decision


def test_a_target_that_is_reached_continues() -> None:
    found = decided(period(1, 0.2), period(2, 0.2))
    assert (found.decision, found.watch, found.returned) == ("continue", False, None)
    assert "it reaches the target of 0.1" in " ".join(found.reasons)
    assert found.said == "continue"


def test_near_the_target_it_continues_and_says_how_many_rows_it_takes() -> None:
    found = decided(period(1, 0.105), period(2, 0.105))
    assert (found.decision, found.watch, found.said) == ("continue", True, "continue, watch")
    assert found.lacking > 1000
    assert f"It takes about {found.lacking} more rows to tell." in found.reasons


def test_short_with_a_better_alternative_pivots_after_so_many_reviews() -> None:
    first = decided(period(1, 0.05), gain=promised(0.1))
    assert first.decision == "continue"
    assert "2 in a row must agree" in first.reasons[-1]
    found = decided(period(1, 0.05), period(2, 0.05), gain=promised(0.1))
    assert (found.decision, found.to) == ("pivot", "impressions")
    assert found.returned is not None
    assert found.returned.rule == RULES["pivot"].name
    assert "promises more: 0.1 [" in found.returned.reason
    assert "effective sample size 800" in found.returned.reason
    assert found.returned.target.value == "scoping"


@pytest.mark.parametrize(
    "gain",
    [
        None,
        promised(0.01),
        promised(-0.1),
        promised(0.1, diagnostics=Diagnostics(2000, 12.0, 1.0, 0.02, 6.0, 0.05, 0.1)),
        promised(0.1, diagnostics=Diagnostics(2000, 800.0, 0.5, 0.02, 6.0, 0.05, 0.1)),
    ],
)
def test_short_without_a_sure_and_sound_alternative_watches(gain: Promise | None) -> None:
    found = decided(*(period(k, 0.05) for k in range(1, 5)), gain=gain)
    assert (found.decision, found.watch) == ("continue", True)


@pytest.mark.parametrize(
    "gain",
    [None, promised(-0.1, diagnostics=Diagnostics(2000, 12.0, 1.0, 0.02, 6.0, 0.05, 0.1))],
)
def test_losing_while_an_alternative_could_not_be_judged_watches(gain: Promise | None) -> None:
    found = decided(*(period(k, 0.2, -80.0) for k in (1, 2, 3)), gain=gain)
    assert (found.decision, found.said, found.returned) == ("continue", "continue, watch", None)
    assert found.reasons[-1] == (
        "Profit is too low, but it cannot be said whether a pivot to impressions helps, "
        "so this is no end."
    )
    assert found.look.untold == ("impressions",)


def test_losing_with_no_alternative_ends() -> None:
    found = decided(period(1, profit=-80.0), period(2, profit=-80.0), alternatives=[])
    assert found.decision == "end"
    assert found.returned is not None
    assert found.returned.rule == "end"
    assert not found.look.untold
    assert "surely lies below the floor of 0 EUR" in found.returned.reason


def test_losing_with_an_alternative_that_lifts_it_pivots_and_with_one_that_does_not_ends() -> None:
    lives = [period(k, profit=-80.0) for k in (1, 2)]
    assert decided(*lives, gain=promised(0.1)).decision == "pivot"  # 0.1 of 2,000 rounds is 200
    small = decided(*(period(k, profit=-2000.0) for k in (1, 2)), gain=promised(0.1))
    assert small.decision == "end"
    assert "does not lift the profit" in " ".join(small.reasons)


def test_reviews_must_follow_one_another() -> None:
    apart = [period(1, profit=-80.0), period(3, profit=-80.0)]
    assert decided(*apart, alternatives=[]).decision == "continue"
    lives = [period(1, profit=-80.0), period(2), period(3, profit=-80.0)]
    assert decided(*lives, alternatives=[]).decision == "continue"


def test_a_kpi_to_minimize_is_turned() -> None:
    less = objective(kpi={"direction": "minimize"})
    terms = business(target=0.1)
    seen = [looks.look(period(1, kpi), [], less, terms).kpi for kpi in (0.05, 0.1, 0.2)]
    assert seen == ["reached", "unsure", "short"]


def test_too_little_is_not_judged() -> None:
    nothing = replace(period(1, 0.0, -80.0, positives=0.0), kpi=Measured(0.0, 0.0, 500))
    found = decided(nothing, period(2, 0.0, -80.0, positives=3.0))
    assert (found.decision, found.look.judged) == ("continue", False)
    assert "3 positives" in found.reasons[0]
    few = replace(period(1), kpi=Measured(0.05, 0.0001, 5))
    assert not looks.look(few, [], objective(), business(target=0.1)).judged


def test_a_period_whose_outcomes_are_missing_ends_nothing() -> None:
    """Costs count every row, revenue those with an outcome: an outage looks like a loss."""
    lost = [period(k, profit=-80.0, coverage=0.4) for k in (1, 2)]
    found = decided(*lost, alternatives=[])
    assert (found.decision, found.watch, found.look.judged) == ("continue", True, False)
    assert found.reasons[0] == (
        "Period 2 is not judged: outcomes are missing. Those of 40.0% of its rows are known; "
        "a review judges from 95% on."
    )
    assert found.to_data(business())["look"]["judged"] is False
    # What the few missing rows could have earned is not held against it.
    close = {"profit": -43.0, "compute_cost": 830.0, "revenue": Measured(800.0, 10.0, 500)}
    whole = [period(k, **close) for k in (1, 2)]
    assert decided(*whole, alternatives=[]).decision == "end"
    nearly = [period(k, **close, coverage=0.955) for k in (1, 2)]
    assert decided(*nearly, alternatives=[]).decision == "continue"


def test_reports_that_fade_are_not_taken_for_a_loss() -> None:
    sound = [period(k, reported={"clicked": 0.1}) for k in (1, 2)]
    lost = [period(k, profit=-80.0, reported={"clicked": 0.01}) for k in (3, 4, 5, 6)]
    found = decided(*sound, *lost, alternatives=[])
    assert (found.decision, found.look.judged) == ("continue", False)
    assert "Period 6 is not judged: outcomes seem to be missing. 1.0% of" in found.reasons[0]
    bad = [period(k, profit=-80.0, reported={"clicked": 0.05}) for k in (3, 4)]
    assert decided(*sound, *bad, alternatives=[]).decision == "end"


def test_a_period_that_is_not_over_is_passed_over() -> None:
    now = period(2, 0.05, complete=False)
    found = decided(period(1, 0.2), now)
    assert found.look.period.number == 1
    assert review.review([now], [[]], objective(), business()) is None


def test_a_decision_is_data(rng: np.random.Generator) -> None:
    import json

    found = decided(period(1, 0.05), period(2, 0.05), gain=promised(0.1))
    told = found.to_data(business(target=0.1))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["decision"] == "pivot"
    assert told["promises"][0]["effective"] == 800.0


LIVES, LENGTH = 400, 24


def lives(kpi: float, profit: float, gain: float, persistent: float, **terms: Any) -> list[str]:
    """The first decision other than to continue, of loops that are reviewed so many times.

    ``persistent``: share of the error's variance that all of a loop's periods have in common.
    """
    given = {"target": 0.1, "floor": "0 EUR", "alternatives": ALTERNATIVES, **terms}
    spec, of = business(**given), objective()
    rng, found = np.random.default_rng(11), []
    for _ in range(LIVES):
        common, own = rng.normal(size=3), rng.normal(size=(LENGTH, 3))
        noise = np.sqrt(persistent) * common + np.sqrt(1 - persistent) * own
        seen: list[looks.Look] = []
        said = "continue"
        for number, (a, b, c) in enumerate(noise, 1):
            now = period(number, kpi + 0.005 * a, profit + 10 * b)
            seen.append(looks.look(now, [promised(gain + 0.01 * c)], of, spec))
            said = review._agreed(seen, spec.reviews)[0]
            if said != "continue":
                break
        found.append(said)
    return found


@pytest.mark.parametrize("persistent", [0.0, 0.9])
@pytest.mark.parametrize("reviews", [1, 2])
def test_wrong_pivots_and_ends_are_as_rare_as_promised(persistent: float, reviews: int) -> None:
    """At the worst truths: KPI at the target, profit at the floor, an alternative as good."""
    most = stats.binom.ppf(0.999, LIVES, 0.05)
    on_the_line = lives(0.1, 0.0, 0.0, persistent, reviews=reviews)
    assert LIVES - on_the_line.count("continue") <= most
    # A good alternative does not make a sound system pivot.
    assert LIVES - lives(0.1, 0.0, 0.5, persistent, reviews=reviews).count("continue") <= most
    # Nor does a KPI that falls short make an alternative that is no better a pivot.
    assert lives(0.05, 50.0, 0.0, persistent, reviews=reviews).count("pivot") <= most


def test_what_should_be_done_is_done() -> None:
    """At four standard errors, or five, from the line within a year or two of reviews."""
    assert lives(0.075, 50.0, 0.06, 0.0).count("pivot") >= 0.9 * LIVES
    assert lives(0.2, -60.0, -0.1, 0.0).count("end") >= 0.9 * LIVES


def test_an_alternative_that_is_better_is_found_from_a_log(rng: np.random.Generator) -> None:
    """From rounds with propensities to the promise, its gain and the decision."""
    rounds = 4000
    action = rng.integers(0, 2, rounds)
    reward = np.where(rng.random(rounds) < np.where(action == 1, 0.3, 0.1), 0.5, 0.0)
    target = np.where(action == 1, 0.9, 0.1)
    log = off_policy.rounds(reward, target, np.full(rounds, 0.5))
    found = promise.judge("impressions", log, rng)
    assert found.faults == ()
    assert found.value.method == "snips"
    assert [one.method for one in found.others] == ["ips"]
    assert found.gain.value == pytest.approx(0.5 * (0.9 * 0.3 + 0.1 * 0.1 - 0.2), abs=0.01)
    # The rounds that both have in common cancel.
    apart = np.hypot(found.value.measured.error, found.current.error)
    assert found.gain.error < apart
    assert decided(period(1, 0.05), period(2, 0.05), gain=found).decision == "pivot"
