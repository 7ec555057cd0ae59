"""The rule of driftloop_contracts/baseline.py, on Alibi Detect's own detectors."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from drift_sidecar.reference import Reference
from drift_sidecar.scoring import Scorer

ROWS = 500


@pytest.fixture
def judge(given):
    """Return a function: features and columns of a window -> findings by name."""

    def scorer(reference=None, **changes):
        features = tuple(replace(f, **changes) for f in given.baseline.features)
        columns = reference or given.draw(3000, seed=1)
        arrays = {
            "relevance": np.array(columns["relevance"], dtype=float),
            "device": np.array(columns["device"], dtype=object),
        }
        return Scorer(Reference(replace(given.baseline, features=features), arrays))

    def judged(window, **changes):
        schema = pa.schema([("relevance", pa.float64()), ("device", pa.string())])
        found = scorer(**changes).score(pa.table(window, schema=schema))
        return {finding.name: finding for finding in found}

    return judged


def test_a_shifted_number_is_a_shift(judge, given):
    finding = judge(given.draw(ROWS, seed=2, shift=1.0))["relevance"]
    assert finding.shift
    assert 0.3 < finding.effect < 0.5
    assert finding.p_value < 1e-6


def test_the_other_feature_stays_quiet(judge, given):
    finding = judge(given.draw(ROWS, seed=2, shift=1.0))["device"]
    assert not finding.shift
    assert finding.fault == ""


def test_a_shifted_category_is_a_shift(judge, given):
    window = given.draw(ROWS, seed=2) | {"device": ["a"] * 100 + ["b"] * 400}
    finding = judge(window)["device"]
    assert finding.shift
    assert finding.effect == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("new", [["c"], ["c", "d", "e", "f"]])
def test_categories_the_reference_lacks_are_a_shift(judge, given, new):
    window = given.draw(ROWS, seed=2)
    window["device"][:100] = (new * 100)[:100]
    finding = judge(window)["device"]
    assert finding.shift
    assert finding.effect == pytest.approx(0.2, abs=0.03)


def test_a_significant_trifle_is_no_shift(judge, given):
    finding = judge(given.draw(20_000, seed=2, shift=0.15), threshold=0.2)["relevance"]
    assert finding.p_value < given.baseline.level
    assert not finding.shift


def test_quiet_windows_are_flagged_as_rarely_as_the_level_says(given):
    level, seeds = 0.05, 200
    columns = given.draw(5000, seed=1)
    arrays = {name: np.array(values) for name, values in columns.items()}
    features = tuple(replace(f, threshold=0.0) for f in given.baseline.features)
    quiet = replace(given.baseline, level=level, features=features)
    scorer = Scorer(Reference(quiet, arrays))
    windows = [given.draw(ROWS, seed=seed) for seed in range(1000, 1000 + seeds)]
    findings = [finding for w in windows for finding in scorer.score(pa.table(w))]
    flagged = sum(finding.shift for finding in findings)
    # The reference is drawn once, so the level holds up to its own sampling: 500 of 5500.
    assert flagged <= stats.binom.ppf(0.999, 2 * seeds, level * 1.2)
    assert all(0 <= finding.p_value <= 1 for finding in findings)


def test_missing_values_are_no_drift(judge, given):
    window = given.draw(ROWS, seed=2)
    window["relevance"][:200] = [None] * 200
    window["device"][:200] = [None] * 200
    found = judge(window, max_missing=0.5)
    assert not any(f.shift or f.fault for f in found.values())
    assert found["relevance"].missing == found["device"].missing == 200


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
    assert all((f.fault, f.shift, f.p_value) == ("missing", False, 1.0) for f in found.values())


def test_a_reference_without_a_value_says_nothing(judge, given):
    found = judge(given.draw(ROWS, seed=2), reference={"relevance": [], "device": []})
    assert not any(f.shift for f in found.values())
