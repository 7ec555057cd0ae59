"""The promises on error rates, over many seeds with a bound."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from driftloop.drift import calibration
from driftloop.evaluation import comparison, gate, kpi, loss
from driftloop.evaluation.comparison import Policy
from driftloop.evaluation.gate import Evidence
from driftloop.loop import LearningLoop, Stream
from driftloop.quantities import Rate
from driftloop_contracts.baseline import Baseline
from driftloop_contracts.baseline import from_json as baseline_from
from driftloop_contracts.drift import level, verdict
from driftloop_contracts.drift.distribution import WEEKDAY
from driftloop_contracts.drift.observed import Observed
from driftloop_contracts.drift.tally import Tally
from driftloop_contracts.errors import InvalidInput

SEEDS = 200


def bound(rate: float, trials: int) -> int:
    """The count that is exceeded with probability below 0.1 % at this rate."""
    return int(stats.binom.ppf(0.999, trials, rate))


def scored(
    rng: np.random.Generator, worse: float, entities: int = 300, rows: int = 20
) -> pd.DataFrame:
    """Losses of two models that differ by ``worse``, noisy by entity as by row."""
    entity = np.repeat(np.arange(entities), rows)
    champion = rng.gamma(2.0, 0.15, len(entity))
    noise = rng.normal(0, 0.02, entities)[entity] + rng.normal(0, 0.05, len(entity))
    candidate = champion * (1 + worse) + noise * champion
    return pd.DataFrame(
        {
            "query_id": entity,
            "champion_loss": champion,
            "candidate_loss": candidate,
            "release_loss": candidate,
        }
    )


def verdicts(ads: LearningLoop, worse: float) -> list[str]:
    policy = ads.spec.gate.model_copy(update={"margin": 0.01, "resamples": 300})
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        found.append(gate.judge(Evidence(scored(rng, worse)), policy, "drift", rng).verdict)
    return found


def test_a_candidate_worse_by_twice_the_margin_is_hardly_ever_promoted(ads: LearningLoop) -> None:
    assert verdicts(ads, 0.02).count(gate.PROMOTE) <= bound(0.05, SEEDS)


def test_a_candidate_worse_by_the_margin_is_promoted_at_the_stated_rate(ads: LearningLoop) -> None:
    """The one-sided 95 % bound: at the margin itself at most 5 % slip through."""
    assert verdicts(ads, 0.01).count(gate.PROMOTE) <= bound(0.05, SEEDS)


def test_an_equal_candidate_is_promoted_and_hardly_ever_rejected(ads: LearningLoop) -> None:
    found = verdicts(ads, 0.0)
    assert found.count(gate.PROMOTE) >= 0.8 * SEEDS
    assert found.count(gate.REJECT) <= bound(0.01, SEEDS)


def test_too_few_rows_hold(ads: LearningLoop) -> None:
    rng = np.random.default_rng(0)
    few = scored(rng, 0.005, entities=5, rows=3)
    verdict = gate.judge(Evidence(few), ads.spec.gate, "drift", rng)
    assert verdict.verdict == gate.HOLD
    assert "cannot be told" in verdict.reasons[0]


def test_a_release_that_is_not_what_was_judged_is_rejected(ads: LearningLoop) -> None:
    rng = np.random.default_rng(0)
    frame = scored(rng, -0.1).assign(release_loss=lambda f: f["candidate_loss"] * 1.5)
    verdict = gate.judge(Evidence(frame), ads.spec.gate, "drift", rng)
    assert (verdict.verdict, "final fit" in " ".join(verdict.reasons)) == (gate.REJECT, True)


def test_the_budget_is_kept_over_windows_and_tests() -> None:
    """A year of daily windows of ten independent tests alarms about four times at 1 per 90 d."""
    alpha = level.of_test(Rate(1, timedelta(days=90)).per_second, 86400, 10)
    rng = np.random.default_rng(0)
    alarms = (rng.random((SEEDS, 365, 10)) < alpha).any(axis=2).sum()
    expected = SEEDS * 365 / 90
    assert abs(alarms - expected) < 4 * np.sqrt(expected)


def frame(rng: np.random.Generator, days: int, rows: int, day_effect: float) -> pd.DataFrame:
    """Quiet rows whose days differ by ``day_effect`` standard deviations."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    stamps = pd.to_datetime([start + timedelta(days=d) for d in range(days)]).repeat(rows)
    values = rng.normal(0, 1, days * rows) + np.repeat(rng.normal(0, day_effect, days), rows)
    words = rng.choice(["x", "y", "z"], days * rows, p=[0.5, 0.3, 0.2])
    return pd.DataFrame({"event_time": stamps, "number": values, "word": words})


@pytest.fixture(scope="module")
def small(ads: LearningLoop) -> LearningLoop:
    """Two monitored columns, and a minimum effect too small to help."""
    columns = [
        ads.spec.features.columns[0].model_copy(
            update={"name": name, "kind": kind, "range": (None, None), "min_effect": None}
        )
        for name, kind in (("number", "numeric"), ("word", "categorical"))
    ]
    features = ads.spec.features.model_copy(update={"columns": tuple(columns)})
    drift = ads.spec.drift.model_copy(update={"min_effect": 0.001})
    spec = ads.spec.model_copy(update={"features": features, "drift": drift})
    return ads.model_copy(update={"spec": spec})


def shifts(baseline: Baseline, window: pd.DataFrame) -> list[str]:
    """Return the features that a window of one day, each row of weight 1, shows shifted."""
    found, rows = [], float(len(window))
    for feature in baseline.features:
        known = feature.distribution
        assert known is not None
        usual = known.expect([rows] * len(known.strata))
        counts = np.bincount(known.codes(window[feature.name].to_numpy()), minlength=known.cells)
        shares = usual.shares, usual.missing, usual.rows
        tally = Tally(tuple(counts.astype(float)), 0.0, len(window), rows, rows, *shares)
        observed = Observed(feature.rule(known), tally)
        found += [feature.name] * verdict.judge(observed, baseline.level, 50).shift
    return found


@pytest.mark.parametrize("day_effect", [0.0, 0.3])
def test_quiet_days_are_flagged_no_more_often_than_the_budget_says(
    small: LearningLoop, day_effect: float
) -> None:
    """Also where the days themselves differ, which makes every p-value of single rows tiny."""
    flagged, trials, alpha = 0, 120, 0.0
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        quiet = frame(rng, 22, 300, day_effect)
        last = quiet["event_time"].max()
        history, today = quiet[quiet["event_time"] < last], quiet[quiet["event_time"] == last]
        baseline = calibration.build(history, small, None, rng)[1]
        alpha = baseline.level
        flagged += bool(shifts(baseline, today))
    assert flagged <= bound(5 * alpha, trials)


def test_a_clear_shift_is_found_although_days_differ(small: LearningLoop) -> None:
    rng = np.random.default_rng(0)
    baseline = calibration.build(frame(rng, 21, 300, 0.1), small, None, rng)[1]
    moved = frame(rng, 1, 300, 0.0).assign(number=rng.normal(0.8, 1, 300))
    assert shifts(baseline, moved) == ["number"]


def test_a_change_is_not_taken_for_quiet_variation(small: LearningLoop) -> None:
    rng = np.random.default_rng(0)
    rows = frame(rng, 21, 300, 0.0)
    onset = datetime(2026, 1, 15, tzinfo=UTC)
    late = rows["event_time"] >= onset
    rows.loc[late, "number"] += 2
    reference, told = calibration.build(rows, small, onset, rng)
    _, untold = calibration.build(rows, small, None, rng)
    effects = [b.features[0].distribution.design_effect for b in (told, untold)]  # type: ignore[union-attr]
    assert reference["number"].mean() > 1.9
    assert effects[0] < 3 < 50 < effects[1]


def test_the_sample_knows_its_weekdays_where_weeks_matter(small: LearningLoop) -> None:
    rng = np.random.default_rng(0)
    weekly = small.spec.drift.reference.model_copy(update={"seasonality": "weekly"})
    drift = small.spec.drift.model_copy(update={"reference": weekly})
    spec = small.spec.model_copy(update={"drift": drift})
    loop = small.model_copy(update={"spec": spec})
    sample, baseline = calibration.build(frame(rng, 28, 50, 0.0), loop, None, rng)
    strata = [len(f.distribution.strata) for f in baseline.features]  # type: ignore[union-attr]
    assert strata == [7, 7]
    assert set(sample[WEEKDAY]) == set(range(7))


def test_predictions_are_cut_and_their_counts_left_to_be_learnt(small: LearningLoop) -> None:
    rng = np.random.default_rng(0)
    rows = frame(rng, 22, 300, 0.3)
    watched = calibration.build(rows, small, None, rng, rows["number"].to_numpy())[1]
    own, number = watched.predictions, watched.features[0]
    assert own is not None
    assert own.distribution is not None
    assert number.distribution is not None
    assert own.distribution.cuts == number.distribution.cuts
    assert own.distribution.design_effect == number.distribution.design_effect > 10
    assert own.distribution.missing_design_effect >= own.distribution.design_effect
    assert not any(sum(s.counts) + s.weight for s in own.distribution.strata)
    assert (own.varies, own.threshold) == (True, small.spec.drift.min_effect)
    assert baseline_from(watched.to_json()) == watched
    unwatched = calibration.build(rows, small, None, rng)[1]
    assert watched.level < unwatched.level, "its tests share the budget"
    assert b"predictions" not in unwatched.to_json(), "so that older sidecars read it"
    assert baseline_from(unwatched.to_json()) == unwatched


@pytest.mark.parametrize(
    ("policy", "threshold"), [({"watch": False}, None), ({"minEffect": 0.4}, 0.4)]
)
def test_loop_yaml_says_whether_and_how_predictions_are_watched(
    small: LearningLoop, policy: dict[str, object], threshold: float | None
) -> None:
    predictions = Stream.model_validate(policy)
    drift = small.spec.drift.model_copy(update={"predictions": predictions})
    spec = small.spec.model_copy(update={"drift": drift})
    loop = small.model_copy(update={"spec": spec})
    rng = np.random.default_rng(0)
    rows = frame(rng, 22, 30, 0.0)
    built = calibration.build(rows, loop, None, rng, rows["number"].to_numpy())[1]
    assert (built.predictions.threshold if built.predictions else None) == threshold


def test_log_loss_of_aggregates_is_that_of_their_rows() -> None:
    one = loss.log_loss([0.2], [2], [5]).sum()
    rows = loss.log_loss([0.2] * 5, [1, 1, 0, 0, 0], [1] * 5).sum()
    assert one == pytest.approx(rows)
    assert loss.mean_log_loss([0.4], [2], [5]) == pytest.approx(loss.base_entropy([2], [5]))


@pytest.mark.parametrize("formula", ["__import__('os')", "log_loss ** 9", "unknown", "1 +", "f(1)"])
def test_a_formula_is_no_code(formula: str) -> None:
    with pytest.raises(InvalidInput, match=r"objective\.kpi\.formula"):
        kpi.evaluate(formula, {"log_loss": 1.0})


def test_a_formula_that_divides_by_zero_has_no_value() -> None:
    assert kpi.evaluate("1 / zero", {"zero": 0.0}) is None


def test_policies_predict_with_the_newest_model_fitted_before() -> None:
    days = pd.date_range("2026-01-01", periods=6, tz="UTC")
    rows = pd.DataFrame({"event_time": days, "weight": 1.0, "positives": 0.0})
    fitted = comparison.replay(
        rows,
        [days[0], days[3]],
        lambda time: time.day / 10,
        lambda model, part: np.full(len(part), model),
    )
    assert fitted.predictions.tolist() == [0.1, 0.1, 0.1, 0.4, 0.4, 0.4]
    assert fitted.fits == 2


def test_the_week_block_interval_holds_the_difference() -> None:
    rng = np.random.default_rng(0)
    days = pd.date_range("2026-01-01", periods=140, tz="UTC").repeat(20)
    truth = rng.uniform(0.05, 0.3, len(days))
    rows = pd.DataFrame({"event_time": days, "weight": 1.0})
    rows["positives"] = (rng.random(len(days)) < truth).astype(float)
    good, bad = Policy(truth, 1), Policy(np.full(len(days), 0.5), 1)
    low, estimate, high = comparison.week_block_interval(good, bad, rows, rng)
    assert low < estimate < high < 0
    same = comparison.week_block_interval(good, good, rows, rng)
    assert same == (0.0, 0.0, 0.0)
