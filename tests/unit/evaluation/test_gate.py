"""The gate on slices and causes: error rates over many seeds, and how verdicts come about."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from driftloop.evaluation import difference, gate, loss, slices
from driftloop.evaluation.gate import Evidence, Verdict
from driftloop.spec.gate import Gate

SEEDS, ROWS, KINDS = 100, 20_000, 10


def policy(**changes: object) -> Gate:
    own = {"entity": "user", "margin": "1%", "confidence": "95%", "resamples": 400}
    parts = {"columns": ["segment"], "margin": "10%", "minShare": "2%"}
    return Gate.model_validate(own | {"slices": parts} | changes)


def scored(
    rng: np.random.Generator, worse: float = 0.0, harm: float = 0.0, rows: int = ROWS
) -> pd.DataFrame:
    """Losses with a tail; ``worse``: of the candidate everywhere, ``harm``: in the first slice."""
    segment = rng.integers(KINDS, size=rows)
    champion = rng.gamma(0.3, 1.0, rows)
    noise = 1 + rng.normal(0, 0.15, rows)
    candidate = champion * (1 + worse + harm * (segment == 0)) * noise
    return pd.DataFrame(
        {
            "user": np.arange(rows) // 3,
            "segment": [f"s{number}" for number in segment],
            "champion_loss": champion,
            "candidate_loss": candidate,
            "release_loss": candidate,
            "positives": np.arange(rows) % 2.0,
            "weight": np.ones(rows),
            "candidate_predicted": np.full(rows, 0.5),
            "champion_predicted": np.full(rows, 0.5),
        }
    )


def judge(
    frame: pd.DataFrame, rng: np.random.Generator, gate_: Gate | None = None, cause: str = "drift"
) -> Verdict:
    return gate.judge(Evidence(frame), gate_ or policy(), cause, rng)


def verdicts(cause: str = "drift", **given: float) -> list[str]:
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        found.append(judge(scored(rng, **given), rng, cause=cause).verdict)
    return found


def test_a_harmed_slice_stops_a_candidate_that_is_no_worse_on_the_whole() -> None:
    stopped = SEEDS - verdicts(worse=-0.02, harm=0.12).count(gate.PROMOTE)
    assert stopped >= stats.binom.ppf(0.001, SEEDS, 0.95)


@pytest.mark.parametrize("rows", [800, 8000, ROWS])
def test_a_slice_harmed_by_the_margin_is_seldom_taken_for_one_that_keeps_it(rows: int) -> None:
    """However many rows there are: few make the bounds wide, many make the harm sure."""
    loose = policy(margin="50%")
    seeds = [np.random.default_rng(seed) for seed in range(SEEDS)]
    found = [judge(scored(rng, harm=0.10, rows=rows), rng, loose).verdict for rng in seeds]
    assert found.count(gate.PROMOTE) <= stats.binom.ppf(0.999, SEEDS, 0.05)


def test_a_slice_that_gains_much_needs_few_rows() -> None:
    """What is better by half is no suspect for want of the rows that would show a harm of 10 %."""
    rng = np.random.default_rng(1)
    gained = scored(rng, worse=-0.5, rows=1200)
    judged = judge(gained, rng)
    assert judged.verdict == gate.PROMOTE
    assert all(one.interval.high < -0.3 for one in judged.slices)
    rare = gained.assign(positives=0.0, candidate_predicted=0.001)
    assert judge(rare, rng).verdict == gate.HOLD, "nothing came, and each would cost much"


@pytest.mark.parametrize("rows", [100, 200, 400, 1600])
def test_a_candidate_that_says_never_does_not_pass_where_next_to_nothing_came(rows: int) -> None:
    """Rate 2 %, and it predicts too little by as much as costs 10 %: a gain wherever none came."""
    passed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        odds = -3.9 + 0.8 * rng.normal(size=rows)
        came, every = (rng.random(rows) < special.expit(odds)).astype(float), np.ones(rows)
        losses = [loss.log_loss(special.expit(odds - off), came, every) for off in (1.0, 0.0)]
        frame = pd.DataFrame({"user": range(rows), "positives": came, "weight": every})
        drawn = difference.resample({"new": losses[0], "old": losses[1]}, frame["user"], 200, rng)
        inside = every.astype(bool)
        predicted = special.expit(odds - 1.0)
        frame = frame.assign(champion_loss=losses[1], candidate_predicted=predicted)
        told = slices.unseen(frame, inside)
        measured = [drawn.relative("new", "old")]
        (found,) = slices.judge([slices.Slice("all", inside)], measured, [told], 0.10)
        passed += not found.harmed and not found.lacking
    assert passed <= stats.binom.ppf(0.999, 200, 0.05)


def test_what_is_surely_worse_within_the_margin_is_told_and_stops_nothing() -> None:
    rng = np.random.default_rng(1)
    wide = policy(slices={"columns": ["segment"], "margin": "40%", "minShare": "2%"})
    judged = judge(scored(rng, worse=-0.02, harm=0.12), rng, wide)
    assert judged.verdict == gate.PROMOTE
    (worse,) = [one for one in judged.slices if one.worse]
    assert (worse.name, worse.harmed) == ("segment = s0", False)
    assert "segment = s0 is worse by 1" in " ".join(judged.reasons)
    assert "surely by less than 40%." in " ".join(judged.reasons)


def test_slices_that_are_not_harmed_hardly_ever_stop_one() -> None:
    found = verdicts(worse=-0.01)
    assert found.count(gate.REJECT) <= stats.binom.ppf(0.999, SEEDS, slices.ERROR)
    assert found.count(gate.PROMOTE) >= 0.85 * SEEDS


def test_better_asks_for_more_than_not_worse() -> None:
    rng = np.random.default_rng(0)
    alike = scored(rng, worse=0.0)
    assert judge(alike, rng).verdict == gate.PROMOTE
    held = judge(alike, rng, cause="manual")
    assert held.verdict != gate.PROMOTE
    assert "better" in held.reasons[0]
    assert judge(scored(rng, worse=-0.05), rng, cause="manual+changed").verdict == gate.PROMOTE
    assert judge(alike, rng, cause="manual+drift").verdict == gate.PROMOTE


def test_a_slice_without_power_holds_and_says_what_it_lacks() -> None:
    rng = np.random.default_rng(1)
    judged = judge(scored(rng, worse=-0.01, rows=800), rng, policy(margin="5%"))
    assert judged.verdict == gate.HOLD
    (lacking, *_) = [one for one in judged.slices if one.lacking]
    assert any(f"about {lacking.lacking} more rows" in reason for reason in judged.reasons)
    assert judged.lacking > lacking.lacking


def test_a_hold_on_the_whole_says_how_many_rows_it_takes() -> None:
    rng = np.random.default_rng(2)
    few = policy(margin="0.1%", slices={"columns": []})
    judged = judge(scored(rng, rows=3000), rng, few)
    assert judged.verdict == gate.HOLD
    assert judged.lacking > 0
    assert f"about {judged.lacking} more rows" in " ".join(judged.reasons)


def test_rare_values_are_no_slices_and_missing_ones_are() -> None:
    values = pd.Series(["a"] * 60 + ["b"] * 39 + [None])
    numbers = pd.Series([*np.arange(99.0), np.nan])
    rows = pd.DataFrame({"kind": values, "number": numbers})
    found = {one.name: int(one.inside.sum()) for one in slices.named(rows, ["kind"], 0.02)}
    assert found == {"kind = a": 60, "kind = b": 39}
    every = slices.named(rows, ["kind", "number"], 0.0)
    assert {"kind missing", "number missing"} < {one.name for one in every}
    covered = np.sum([one.inside for one in every if one.name.startswith("number")], axis=0)
    assert covered.tolist() == [1] * 100


def test_a_verdict_is_stored_as_json() -> None:
    rng = np.random.default_rng(3)
    told = judge(scored(rng), rng).summary()
    assert json.loads(json.dumps(told)) == told
    assert len(told["slices"]) == KINDS
    low, mean, high = told["slices"][0]["interval"]
    assert low < mean < high
    assert mean == told["slices"][0]["difference"]


def test_each_models_loss_a_row_is_told_between_bounds_that_hold_it() -> None:
    """At 95 % a side, of 200 sets of rows about 10 have the true loss below the lower bound."""
    missed = {"low": 0, "high": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        user = np.arange(2000) % 500
        loss = rng.exponential(0.3, 2000) + rng.normal(0, 0.05, 500)[user]
        columns = {"candidate_loss": loss, "weight": np.ones(2000)}
        drawn = difference.resample(columns, pd.Series(user), 400, rng)
        low, _, high = drawn.ratio("candidate_loss", "weight").interval(0.95)
        missed["low"] += low > 0.3
        missed["high"] += high < 0.3
    assert all(count <= 22 for count in missed.values()), missed


@pytest.mark.parametrize("cause", ["initial", "staleness", "growth", "drift+manual"])
def test_these_causes_ask_for_no_more_than_not_worse(cause: str) -> None:
    assert policy().limit(cause) == 0.01


def test_several_reasons_are_all_told_and_the_most_severe_decides() -> None:
    rng = np.random.default_rng(4)
    frame = scored(rng, worse=0.05).assign(trivial_loss=lambda f: f["candidate_loss"] * 0.8)
    judged = gate.judge(
        Evidence(frame, cost={"latency_ms": 9.0, "size": 1, "memory": 1}),
        policy(budgets={"latencyMs": 5}),
        "drift",
        rng,
    )
    assert judged.verdict == gate.REJECT
    said = " ".join(judged.reasons)
    assert all(word in said for word in ("worse than the champion", "training rows' rate", "9 ms"))


def test_the_first_model_need_only_be_sound() -> None:
    rng = np.random.default_rng(5)
    first = scored(rng).drop(columns="champion_loss")
    assert judge(first, rng).verdict == gate.PROMOTE
    useless = first.assign(trivial_loss=lambda f: f["candidate_loss"] * 0.9)
    refused = judge(useless, rng)
    assert (refused.verdict, refused.difference) == (gate.REJECT, None)


def priced(rng: np.random.Generator, candidate: float, rows: int = 5000) -> pd.DataFrame:
    """Rows whose candidate says so many times the true rate; the champion the true one."""
    came = (rng.random(rows) < 0.1).astype(float)
    frame = scored(rng, worse=-0.02, rows=rows)
    return frame.assign(
        positives=came,
        weight=1.0,
        candidate_predicted=0.1 * candidate,
        champion_predicted=0.1,
        candidate_brier=(came - 0.1 * candidate) ** 2,
        champion_brier=(came - 0.1) ** 2,
    )


@pytest.mark.parametrize(
    ("candidate", "verdict"), [(1.0, gate.PROMOTE), (1.5, gate.REJECT), (1.08, gate.HOLD)]
)
def test_a_candidate_may_not_fall_behind_in_calibration(candidate: float, verdict: str) -> None:
    rng = np.random.default_rng(6)
    strict = policy(secondary={"calibration": "5%"}, slices={"columns": []})
    judged = judge(priced(rng, candidate), rng, strict)
    assert judged.verdict == verdict
    assert ("predicted to observed" in " ".join(judged.reasons)) == (verdict != gate.PROMOTE)
    assert (judged.lacking > 0) == (verdict == gate.HOLD)
    free = policy(slices={"columns": []})
    assert judge(priced(rng, candidate), rng, free).verdict == gate.PROMOTE


def test_calibration_within_its_margin_is_promoted_and_beyond_it_hardly_ever() -> None:
    strict = policy(secondary={"calibration": "5%"}, slices={"columns": []})
    found = {size: 0 for size in (1.0, 1.1)}
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        for size in found:
            found[size] += judge(priced(rng, size, 50_000), rng, strict).verdict == gate.PROMOTE
    assert found[1.0] == SEEDS
    assert found[1.1] <= stats.binom.ppf(0.999, SEEDS, 0.05)


def test_the_brier_score_has_a_margin_of_its_own() -> None:
    rng = np.random.default_rng(7)
    strict = policy(secondary={"brier": "1%"}, slices={"columns": []})
    assert judge(priced(rng, 1.0), rng, strict).verdict == gate.PROMOTE
    refused = judge(priced(rng, 3.0), rng, strict)
    assert (refused.verdict, "Brier" in refused.reasons[1]) == (gate.REJECT, True)


def few(entities: int, rows: int = 20_000, worse: float = -0.05) -> pd.DataFrame:
    """Rows of a slice with so few entities, beside many of others."""
    rng = np.random.default_rng(8)
    frame = scored(rng, worse=worse, rows=rows)
    own = frame["segment"] == "s0"
    return frame.assign(user=frame["user"].where(~own, -1 - np.arange(rows) % entities))


@pytest.mark.parametrize(("entities", "is_judged"), [(1, False), (8, False), (40, True)])
def test_a_slice_of_few_entities_holds_nobody_up_and_says_so(
    entities: int, is_judged: bool
) -> None:
    judged = judge(few(entities), np.random.default_rng(8))
    assert judged.verdict == gate.PROMOTE
    assert ("not judged" in " ".join(judged.reasons)) != is_judged
    assert len(judged.slices) == KINDS - (not is_judged)


@pytest.mark.parametrize("worse", [-0.5, 0.5])
def test_few_entities_tell_nothing_of_the_whole(worse: float) -> None:
    rng = np.random.default_rng(9)
    frame = scored(rng, worse=worse, rows=3000).assign(user=lambda f: f.index % 5)
    assert judge(frame, rng, policy(slices={"columns": []})).verdict == gate.HOLD


def test_without_a_margin_no_number_of_rows_is_named() -> None:
    rng = np.random.default_rng(10)
    exact = policy(margin="0%", slices={"columns": []})
    judged = judge(scored(rng, rows=3000), rng, exact)
    assert (judged.verdict, judged.lacking) == (gate.HOLD, 0)


@pytest.mark.parametrize(
    "bad", [{"slices": {"margin": "0%"}}, {"confidence": "100%"}, {"confidence": "0%"}]
)
def test_what_could_never_be_told_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"a margin above|a confidence from"):
        policy(**bad)


def test_what_the_gate_saw_predicted_counts_each_row_once() -> None:
    rng = np.random.default_rng(11)
    heavy = np.where(np.arange(3000) < 100, 1000.0, 1.0)
    frame = priced(rng, 1.0, rows=3000).assign(
        weight=heavy,
        candidate_predicted=0.1 * heavy * np.where(heavy > 1, 0.5, 1.0),
        champion_predicted=0.1 * heavy,
    )
    found = judge(frame, rng, policy(slices={"columns": []})).predicted
    assert found == pytest.approx(1 - 0.5 * 100 / 3000)


def test_of_classes_each_model_is_as_sure_as_it_is_right_itself() -> None:
    rng, rows = np.random.default_rng(11), 20_000
    frame = scored(rng, worse=-0.1)
    right = {"candidate": rng.random(rows) < 0.9, "champion": rng.random(rows) < 0.6}
    for name, sure in (("candidate", 0.9), ("champion", 0.6)):
        frame[f"{name}_predicted"], frame[f"{name}_positives"] = sure, right[name].astype(float)
    frame["positives"], frame["weight"] = frame["candidate_positives"], 1.0
    own = policy(secondary={"calibration": "5%"}, slices={"columns": [], "search": False})
    assert judge(frame, rng, own).verdict == gate.PROMOTE
    frame["candidate_predicted"] = 0.99
    found = judge(frame, rng, own)
    assert found.verdict == gate.REJECT
    assert any("ratio of predicted to observed" in reason for reason in found.reasons)
