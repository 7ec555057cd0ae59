"""The rule of driftloop_contracts/baseline.py, on Alibi Detect's own detectors."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from drift_sidecar import reference, scoring
from drift_sidecar.reference import Reference
from drift_sidecar.sample import Sample
from drift_sidecar.scoring import Scorer
from drift_sidecar.tallies import Tallies
from drift_sidecar.window import Window

ROWS, HOUR = 500, 3600


def known(feature, values):
    """Return the reference of rows that do not depend on each other."""
    found = reference.measured(feature, values)
    return replace(found, design_effect=1.0, missing_design_effect=1.0)


def told(given, columns, **changes):
    features = tuple(replace(f, **changes) for f in given.baseline.features)
    arrays = {
        "relevance": np.array(columns["relevance"], dtype=float),
        "device": np.array(columns["device"], dtype=object),
    }
    distributions = {f.name: known(f, arrays[f.name]) for f in features}
    return Reference(replace(given.baseline, features=features), arrays, distributions)


def window_of(found, columns):
    """Return a window of these rows, each of weight 1."""
    schema = pa.schema([("relevance", pa.float64()), ("device", pa.string())])
    table = pa.table(columns, schema=schema)
    rows = table.num_rows
    table = table.append_column("weight", pa.array(np.ones(rows)))
    table = table.append_column("prediction", pa.array(np.full(rows, 0.25)))
    table = table.append_column("event_time", pa.array([0] * rows, pa.timestamp("us", "UTC")))
    made = Window(0, HOUR, Sample(20_000), Tallies(found))
    for batch in table.to_batches():
        made.add(batch, ["relevance", "device"], np.random.default_rng(0))
    return made


@pytest.fixture
def judge(given):
    """Return a function: columns of a window -> findings by name."""

    def judged(window, reference=None, **changes):
        found = told(given, reference or given.draw(3000, seed=1), **changes)
        scored = Scorer(found).score(window_of(found, window))
        return {finding.name: finding for finding in scored.findings}

    return judged


def test_a_shifted_number_is_a_shift(judge, given):
    finding = judge(given.draw(ROWS, seed=2, shift=1.0))["relevance"]
    assert finding.shift
    assert 0.7 < finding.effect < 1.1
    assert finding.p_value < 1e-6


def test_the_other_feature_stays_quiet(judge, given):
    finding = judge(given.draw(ROWS, seed=2, shift=1.0))["device"]
    assert not finding.shift
    assert finding.fault == ""


def test_a_shifted_category_is_a_shift(judge, given):
    window = given.draw(ROWS, seed=2) | {"device": ["a"] * 100 + ["b"] * 400}
    finding = judge(window)["device"]
    assert finding.shift
    assert finding.effect == pytest.approx(0.84, abs=0.06)  # h of 0.6 and 0.2


@pytest.mark.parametrize("new", [["c"], ["c", "d", "e", "f"]])
def test_categories_the_reference_lacks_are_a_shift(judge, given, new):
    window = given.draw(ROWS, seed=2)
    window["device"][:100] = (new * 100)[:100]
    finding = judge(window)["device"]
    assert [test.name for test in finding.tests if test.shift] == ["unseen"]
    assert finding.effect == pytest.approx(0.93, abs=0.06)  # h of 0 and 0.2


def test_a_significant_trifle_is_no_shift(judge, given):
    finding = judge(given.draw(20_000, seed=2, shift=0.15), threshold=0.3)["relevance"]
    assert finding.p_value < given.baseline.level
    assert not finding.shift


def test_quiet_windows_are_flagged_as_rarely_as_the_level_says(given):
    level, seeds = 0.05, 100
    found = told(given, given.draw(5000, seed=1), threshold=0.0)
    scorer = Scorer(replace(found, baseline=replace(found.baseline, level=level)))
    windows = (given.draw(ROWS, seed=seed) for seed in range(1000, 1000 + seeds))
    findings = [f for w in windows for f in scorer.score(window_of(found, w)).findings]
    # The reference is drawn once, so the level holds up to its own sampling: 500 of 5500.
    tests = sum(len(finding.tests) for finding in findings)
    flagged = sum(test.shift for finding in findings for test in finding.tests)
    assert flagged <= stats.binom.ppf(0.999, tests, level * 1.2)


def test_alibi_detect_measures_what_is_judged(given):
    found = told(given, given.draw(3000, seed=1))
    scored = Scorer(found).score(window_of(found, given.draw(ROWS, seed=2, shift=1.0)))
    moved, device = (scored.measured[name] for name in ("relevance", "device"))
    assert [one.detector for one in moved] == ["TabularDrift/KS", "FET/missing"]
    assert device[0].detector == "TabularDrift/chi-square"
    # The distance is taken at the cuts; Alibi Detect's at every value.
    assert moved[0].statistic == pytest.approx(scored.findings[0].statistic, abs=0.05)
    assert moved[0].p_value < 1e-6 < device[0].p_value


def test_rows_are_measured_by_their_weights(given):
    """One row in ten has a thousand times the weight of the others, and another distribution."""
    columns = given.draw(1000, seed=2)
    found = told(given, given.draw(3000, seed=1))
    columns["relevance"][:100] = [5.0] * 100
    window = window_of(found, columns)
    heavy = np.where(np.arange(1000) < 100, 1000.0, 1.0)
    table = pa.table(columns).append_column("weight", pa.array(heavy))
    window.sample = Sample(20_000)
    window.sample.add(table.to_batches()[0], np.random.default_rng(0))
    window.tallies.square, window.tallies.weights = (
        float((heavy**2).sum()),
        heavy.sum(keepdims=True),
    )
    drawn = scoring._drawn(window)
    assert 90 <= drawn.num_rows <= 110
    assert np.mean(np.array(drawn["relevance"]) == 5.0) > 0.9


def test_weekdays_are_counted_apart(given):
    found = told(given, given.draw(3000, seed=1))
    week = {
        name: replace(d, strata=tuple([d.strata[0]] * 7)) for name, d in found.distributions.items()
    }
    window = window_of(replace(found, distributions=week), given.draw(ROWS, seed=2))
    assert window.tallies.weekdays == (3,)  # the epoch was a Thursday


def test_missing_values_are_a_finding_of_their_own(judge, given):
    window = given.draw(ROWS, seed=2)
    window["relevance"][:200] = [None] * 200
    window["device"][:200] = [None] * 200
    for finding in judge(window, max_missing=0.5).values():
        assert [test.name for test in finding.tests if test.shift] == ["missing"]
        assert (finding.fault, finding.missing) == ("", 200)


def test_too_many_missing_values_are_a_fault(judge, given):
    window = given.draw(ROWS, seed=2)
    window["device"][:51] = [None] * 51
    finding = judge(window)["device"]
    assert (finding.fault, finding.share) == ("missing", 0.102)


def test_the_allowed_share_itself_is_no_fault(judge, given):
    window = given.draw(ROWS, seed=2)
    window["device"][:50] = [None] * 50
    assert judge(window)["device"].fault == ""


@pytest.mark.parametrize("value", [-9.0, 9.0])
def test_values_outside_the_contract_are_a_fault(judge, given, value):
    window = given.draw(ROWS, seed=2)
    window["relevance"][:100] = [value] * 100
    finding = judge(window)["relevance"]
    assert (finding.fault, finding.share) == ("out_of_range", 0.2)


def test_a_feature_that_stands_still_is_a_fault(judge, given):
    window = given.draw(ROWS, seed=2) | {"relevance": [0.5] * ROWS, "device": ["a"] * ROWS}
    assert [f.fault for f in judge(window).values()] == ["stands_still", "stands_still"]


def test_a_feature_that_never_varied_may_stand_still(judge, given):
    constant = {"relevance": [1.0] * ROWS, "device": ["a"] * ROWS}
    found = judge(constant, reference=constant, varies=False)
    assert not any(f.shift or f.fault for f in found.values())
    assert [f.p_value for f in found.values()] == [1.0, 1.0]


def test_too_few_values_cannot_stand_still(judge, given):
    few = given.baseline.min_rows - 1
    window = {"relevance": [0.5] * few, "device": ["a"] * few}
    assert judge(window)["relevance"].fault == ""


@pytest.mark.parametrize("rows", [1, 2])
def test_a_tiny_window_is_scored(judge, given, rows):
    assert all(np.isfinite(f.p_value) for f in judge(given.draw(rows, seed=2)).values())


def test_a_column_without_a_value_is_missing_and_no_shift(judge):
    found = judge({"relevance": [None] * 60, "device": [None] * 60})
    for finding in found.values():
        assert finding.fault == "missing"
        assert [test.name for test in finding.tests if test.shift] == ["missing"]


def test_a_reference_without_a_value_says_nothing(judge, given):
    found = judge(given.draw(ROWS, seed=2), reference={"relevance": [], "device": []})
    assert not any(f.shift for f in found.values())


def test_a_broken_feature_is_no_joint_change(given):
    found = told(given, given.draw(3000, seed=1))
    broken = given.draw(ROWS, seed=2) | {"device": [None] * ROWS}
    scored = Scorer(found).score(window_of(found, broken))
    assert scored.joint.p_value < 1e-6
    assert not scored.is_joint_shift
