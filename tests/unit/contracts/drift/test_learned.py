"""What is learnt of predictions: when it is enough, and what the tests on it promise."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import signal, stats

from driftloop_contracts.drift import learned, level, measure, served
from driftloop_contracts.drift.distribution import DAY, Distribution, Stratum
from driftloop_contracts.drift.finding import PREDICTION_NAME, Finding
from driftloop_contracts.drift.learned import Learned
from driftloop_contracts.drift.observed import Observed, Rule
from driftloop_contracts.drift.served import Served
from driftloop_contracts.drift.tally import Tally
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CHOSEN

ROWS, REFERENCE, WEEK = 1000, 28, 7
MONDAY = 4 * DAY


def ar(rows: int, rng: np.random.Generator, coefficient: float = 0.6) -> Any:
    """Return AR(1) of variance 1."""
    noise = rng.normal(size=rows + 100) * (1 - coefficient**2) ** 0.5
    return signal.lfilter([1], [1, -coefficient], noise)[100:]


def moody(rows: int, rng: np.random.Generator) -> Any:
    """Return days that differ by a tenth of a standard deviation for no reason."""
    return rng.normal(size=rows) + np.repeat(rng.normal(0, 0.1, rows // ROWS), ROWS)


def gaussian(rows: int, rng: np.random.Generator) -> Any:
    return rng.normal(size=rows)


def known(values: Any, weekly: bool = False) -> Distribution:
    """Return the cuts and design effects that a bundle has of ROWS a day from a Monday on."""
    seconds = MONDAY + np.arange(len(values)) * DAY // ROWS
    whole = np.ones(len(values), dtype=bool)
    rows = measure.Rows(seconds, np.ones(len(values)), seconds // DAY, whole, weekly, ROWS)
    return measure.numeric(values, rows)


def window(cells: Distribution, values: Any, day: int = 0, min_effect: float = 0.0) -> Served:
    """Return a day's predictions, each of weight 1; NaN is missing."""
    present = values[~np.isnan(values)]
    counts = np.bincount(cells.codes(present), minlength=cells.cells).astype(float)
    n, none = float(len(values)), Stratum((0.0,) * cells.cells, 0.0, 0.0, 0.0)
    strata = [none] * len(cells.strata)
    strata[day % len(strata)] = Stratum(tuple(counts), n - len(present), n, n)
    effect = cells.design_effect
    rule = Rule(PREDICTION_NAME, "numeric", min_effect, effect, effect, 0.05, True)
    only = str(present[0]) if len(set(present)) == 1 else ""
    return Served(rule, tuple(strata), int(n), only)


def taught(cells: Distribution, values: Any, days: int = WEEK, rows: int = ROWS) -> Learned:
    """Return what the first ``days`` of values teach."""
    state = Learned()
    for day in range(days):
        one = window(cells, values[day * rows : (day + 1) * rows], day)
        state = after(state, one, day)
    return state


def after(state: Learned, one: Served, day: int, findings: tuple[Finding, ...] = ()) -> Learned:
    start = MONDAY + day * DAY
    return state.after(one, start, start + DAY, findings, False)


def judged(state: Learned, one: Served, alpha: float) -> Finding:
    return learned.judge([], one, state, alpha, 50)[-1]


@pytest.mark.parametrize("stream", [gaussian, ar, moody])
def test_quiet_predictions_are_flagged_no_more_often_than_the_level_says(stream: Any) -> None:
    """By the tests alone; cuts from other values than those served, as training rows are."""
    alpha, seeds, days = 0.02, 30, 40
    counts = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        cells = known(1.5 * stream(ROWS * REFERENCE, rng) + 0.3)
        values = 1.5 * stream(ROWS * (WEEK + days), rng) + 0.3
        state = taught(cells, values)
        windows = (values[(WEEK + d) * ROWS : (WEEK + d + 1) * ROWS] for d in range(days))
        one_test = level.of_test(1, -np.log1p(-alpha), 2)
        counts.append(sum(judged(state, window(cells, w), one_test).shift for w in windows))
    # The windows of a seed share what was learnt: their alarms come together, so seeds are counted.
    assert np.mean(counts) - 3 * stats.sem(counts) <= alpha * days
    assert np.mean(counts) <= 1.5 * alpha * days


@pytest.mark.parametrize(("stream", "rows"), [(gaussian, 1000), (ar, 5000)])
def test_a_mean_that_moves_by_a_fifth_is_found_within_four_windows(stream: Any, rows: int) -> None:
    """At the level of a loop with 20 features, a window a day, and a false alarm in 90 days."""
    alpha, seeds, found = level.of_test(1 / (90 * DAY), DAY, 43), 20, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        cells = known(stream(ROWS * REFERENCE, rng))
        values = stream(rows * (WEEK + 4), rng)
        state = taught(cells, values, rows=rows)
        moved = values[WEEK * rows :].reshape(4, -1) + 0.2
        found += any(judged(state, window(cells, w, 0, 0.05), alpha).shift for w in moved)
    assert found >= stats.binom.ppf(0.001, seeds, 0.97)


def test_what_the_training_rows_say_is_no_reference() -> None:
    """An overfitted model spreads its own rows further; what it serves is quiet all the same."""
    rng = np.random.default_rng(0)
    cells = known(2 * rng.normal(size=ROWS * REFERENCE))
    state = taught(cells, rng.normal(size=ROWS * WEEK))
    assert judged(state, window(cells, rng.normal(size=ROWS)), 0.01).p_value > 0.01
    assert judged(state, window(cells, 2 * rng.normal(size=ROWS)), 0.01).shift


def test_nothing_is_judged_before_a_week_is_known_and_nothing_learnt_after() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE))
    values = rng.normal(size=ROWS * 8)
    far = window(cells, values[:ROWS] + 5)
    for days in range(WEEK):
        state = taught(cells, values, days)
        assert not state.judges(far)
        assert (judged(state, far, 0.01).p_value, judged(state, far, 0.01).shift) == (1.0, False)
    state = taught(cells, values)
    assert judged(state, far, 0.01).shift
    assert after(state, window(cells, values[:ROWS]), 8) == state


def test_four_windows_are_learnt_from_at_least() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE))
    one = window(cells, rng.normal(size=ROWS))
    state = Learned()
    for week in range(learned.WINDOWS):
        assert not state.judges(one)
        start = MONDAY + week * WEEK * DAY
        state = state.after(one, start, start + WEEK * DAY, (), False)
    assert state.judges(one)


def test_a_weekday_is_judged_once_two_of_it_are_known() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE), weekly=True)
    values = rng.normal(size=ROWS * 2 * WEEK)
    state = taught(cells, values, 9)
    far = [judged(state, window(cells, values[:ROWS] + 5, day), 0.01).shift for day in range(WEEK)]
    assert far == [True, True, False, False, False, False, False]
    more = after(state, window(cells, values[:ROWS], 0), 0)
    assert more.lessons == state.lessons, "a weekday that is known is fixed"


def test_a_weekday_is_compared_with_itself() -> None:
    rng = np.random.default_rng(0)
    days = np.repeat(np.arange(2 * WEEK) % WEEK >= 5, ROWS)
    cells = known(rng.normal(size=ROWS * REFERENCE), weekly=True)
    state = taught(cells, rng.normal(size=ROWS * 2 * WEEK) + days, 2 * WEEK)
    saturday = rng.normal(size=ROWS) + 1
    assert not judged(state, window(cells, saturday, 5), 0.001).shift
    assert judged(state, window(cells, saturday, 0), 0.001).shift


def test_rows_that_come_a_day_late_teach_no_day() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE), weekly=True)
    state = after(Learned(), window(cells, rng.normal(size=3), 0), 1)
    assert [one.windows for one in state.lessons] == [0] * WEEK
    assert state.lessons[0].stratum.weight == 3


def feature(shift: float = 0.0, fault: bool = False, name: str = "x") -> Observed:
    """Return a column's window of 1,000 rows in two cells."""
    rule = Rule(name, "numeric", 0.05, 1.0, 1.0, 0.05, False)
    missing, present = (400.0, 600.0) if fault else (0.0, 1000.0)
    counts = (present * (0.5 - shift), present * (0.5 + shift))
    tally = Tally(counts, missing, 1000, 1000.0, 1000.0, (0.5, 0.5), 0.4 * fault, 1e5)
    return Observed(rule, tally)


@pytest.mark.parametrize("odd", [feature(shift=0.3), feature(fault=True)])
def test_nothing_is_learnt_while_an_input_is_odd(odd: Observed) -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE))
    one = window(cells, rng.normal(size=ROWS))
    findings = learned.judge([odd], one, Learned(), 0.001, 50)
    assert after(Learned(), one, 0, tuple(findings)) == Learned()
    quiet = learned.judge([feature()], one, Learned(), 0.001, 50)
    assert after(Learned(), one, 0, tuple(quiet)) != Learned()
    assert Learned().after(one, 0, DAY, quiet, True) == Learned(), "nor while they jointly are"


def test_predictions_that_a_broken_input_moves_are_no_drift() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE))
    state = taught(cells, rng.normal(size=ROWS * WEEK))
    far = window(cells, rng.normal(size=ROWS) + 1)
    moved = learned.judge([feature(shift=0.3)], far, state, 0.001, 50)[-1]
    broken = learned.judge([feature(fault=True)], far, state, 0.001, 50)[-1]
    assert (moved.shift, broken.shift) == (True, False)
    assert [test.shift for test in broken.tests] == [False, False]
    assert broken.p_value == moved.p_value


@pytest.mark.parametrize("told", [True, False])
def test_chosen_classes_that_a_broken_input_moves_are_no_drift(told: bool) -> None:
    """A class that is answered more often where texts are lost is no new kind of request."""
    rng = np.random.default_rng(0)
    served = window(known(rng.normal(size=ROWS * REFERENCE)), rng.normal(size=ROWS))
    beside = (served, Learned()) if told else (None, None)
    chosen = feature(shift=0.3, name=CHOSEN)
    moved = learned.judge([feature(), chosen], *beside, 0.001, 50)
    broken = learned.judge([feature(fault=True), chosen], *beside, 0.001, 50)
    assert (moved[1].shift, broken[1].shift, broken[0].fault) == (True, False, "missing")
    assert not any(test.shift for test in broken[1].tests)
    own = learned.judge([feature(shift=0.3), feature(fault=True, name=CHOSEN)], *beside, 0.001, 50)
    assert (own[0].shift, own[1].fault) == (True, "missing"), "answers that break hide no input"


def test_what_chooses_nothing_sensible_is_no_drift_of_its_probabilities() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE))
    state = taught(cells, rng.normal(size=ROWS * WEEK))
    far = window(cells, rng.normal(size=ROWS) + 1)
    chosen = feature(fault=True, name=CHOSEN)
    assert not learned.judge([feature(), chosen], far, state, 0.001, 50)[-1].shift


def test_broken_predictions_are_told_also_while_learning() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE))
    values = rng.normal(size=ROWS)
    still = window(cells, np.full(ROWS, 0.5))
    gone = window(cells, np.where(np.arange(ROWS) < 60, np.nan, values))
    few = window(cells, np.where(np.arange(ROWS) < 40, np.nan, values))
    assert [judged(Learned(), one, 0.01).fault for one in (still, gone, few)] == [
        "stands_still",
        "missing",
        "",
    ]
    state = taught(cells, rng.normal(size=ROWS * WEEK))
    assert [test.name for test in judged(state, few, 0.01).tests if test.shift] == ["missing"]


@pytest.mark.parametrize("replicas", [1, 3, 10])
def test_replicas_add_up_to_one_that_served_everything(replicas: int) -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE))
    values = rng.normal(size=ROWS)
    parts = [window(cells, values[at::replicas]) for at in range(replicas)]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    assert whole == window(cells, values)
    other = replace(parts[0], rule=replace(parts[0].rule, design_effect=7.0))
    with pytest.raises(InvalidInput, match="rule"):
        whole + other


def test_what_is_learnt_survives_json() -> None:
    rng = np.random.default_rng(0)
    cells = known(rng.normal(size=ROWS * REFERENCE), weekly=True)
    one = window(cells, rng.normal(size=ROWS))
    assert served.from_data(json.loads(json.dumps(one.to_data()))) == one
    for state in (Learned(), taught(cells, rng.normal(size=ROWS * WEEK) / 3)):
        assert learned.from_data(json.loads(json.dumps(state.to_data()))) == state
        assert learned.from_data(state.to_data()) == state


@pytest.mark.parametrize(
    "change",
    [
        {"strata": []},
        {"strata": [{"counts": [1], "missing": -1, "weight": 1, "square": 1}]},
        {"strata": [{"counts": [], "missing": 0, "weight": 1, "square": 1}]},
        {"rows": "many"},
        {"rule": {}},
    ],
)
def test_what_is_no_window_of_predictions_is_refused(change: dict[str, Any]) -> None:
    cells = known(np.random.default_rng(0).normal(size=ROWS * REFERENCE))
    told = window(cells, np.zeros(ROWS)).to_data()
    with pytest.raises(InvalidInput):
        served.from_data(told | change)
