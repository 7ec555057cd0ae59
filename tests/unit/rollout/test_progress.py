"""Progress: what follows from a look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from driftloop.rollout import progress
from driftloop.rollout.arm import REMEMBERED, Arm, Seen
from driftloop.rollout.contrast import Moments
from driftloop.rollout.entities import Entities, counted
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.spec.rollout import Rollout

START = datetime(2026, 1, 1, tzinfo=UTC)
PASSED = Passed(version="0002-b", retraining=2, data_end=None)
POLICY = Rollout.model_validate({"mode": "canary", "steps": ["5%", "25%", "50%"]})


def arm(
    rng: np.random.Generator, requests: int, *, failing: float = 0.0, slower: float = 0.0,
    higher: float = 0.0,
) -> Arm:  # fmt: skip
    """Return what one process did since its start."""
    latency, prediction = rng.normal(1 + slower, 0.3, requests), rng.beta(2, 18, requests) + higher
    return Arm(
        requests=requests,
        failed=int(rng.binomial(requests, failing)),
        latency=of(latency),
        prediction=of(prediction),
        entities=counted(rng.integers(500, size=requests), prediction),
    )


def of(values: np.ndarray) -> Moments:
    return Moments(n=len(values), total=float(values.sum()), square=float((values**2).sum()))


def turned(
    minutes: int = 300,
    requests: int = 400,
    seed: int = 0,
    policy: Rollout = POLICY,
    passed: Passed = PASSED,
    usual: float = 0.0,
    **harm: float,
) -> tuple[str, int, int, tuple[str, ...]]:
    """Return how a rollout with a look a minute ends: the move, its minute, its step, why."""
    rng = np.random.default_rng(seed)
    now, own, other = START, Arm(), Arm()
    known = Progress(passed=passed, stable="0001-a", since=START)
    for minute in range(1, minutes):
        now = START + timedelta(minutes=minute)
        share = policy.steps[known.step]
        n = int(rng.binomial(requests, share))
        own += arm(rng, n, **harm)
        other += arm(rng, requests - n, failing=usual)
        known = known.after({"pod-1": own}, {"pod-2": other}, policy)
        found = progress.judge(known, policy, now)
        if found.move == "advance":
            known = known.advanced(now)
        elif found.move != "wait":
            return found.move, minute, known.step, found.reasons
    return "wait", minutes, known.step, ()


def test_a_sound_candidate_is_promoted_step_by_step() -> None:
    assert turned()[:3] == ("promote", 90, 2)


def test_strong_evidence_needs_no_further_step() -> None:
    move, minute, step, reasons = turned(requests=20_000, usual=0.01, failing=0.01)
    assert (move, step) == ("promote", 0)
    assert minute < 30
    assert "surely kept" in reasons[0]


@pytest.mark.parametrize(
    ("harm", "word", "end"),
    [
        ({"failing": 0.5}, "fails", "withdraw"),
        ({"slower": 1.0}, "Latency", "withdraw"),
        ({"higher": 0.3}, "prediction", "hold"),
    ],
)
def test_a_bad_one_is_sent_back_during_the_first_step(
    harm: dict[str, float], word: str, end: str
) -> None:
    move, minute, step, reasons = turned(**harm)
    assert (move, step) == (end, 0)
    assert minute < 30
    assert word in " ".join(reasons)


def test_sound_candidates_are_hardly_ever_sent_back() -> None:
    moves = [turned(seed=seed)[0] for seed in range(60)]
    assert moves.count("promote") >= 58


def test_too_little_traffic_is_held_at_the_end_of_patience() -> None:
    move, minute, step, reasons = turned(minutes=400, requests=2)
    assert (move, minute, step) == ("hold", 360, 0)
    assert "requests came at 5%" in reasons[0]


def test_each_request_counts_once_whatever_comes_late_or_begins_anew() -> None:
    rng = np.random.default_rng(0)
    first, second = arm(rng, 50), arm(rng, 70)
    seen = Seen().after({"a": first})
    assert seen.news({"a": first}, from_start=True) == Arm()
    assert seen.news({"a": first + second}, from_start=True).requests == 70
    assert seen.news({"b": second}, from_start=True).requests == 70, "it began anew"
    assert seen.news({"b": second}, from_start=False) == Arm(), "it served before it was watched"
    later = seen.after({"a": first + second})
    assert later.news({"a": first}, from_start=True) == Arm(), "an older look"
    assert later.after({"a": first}) == later


def test_what_a_process_tells_that_cannot_be_is_no_news() -> None:
    rng = np.random.default_rng(0)
    first, second = arm(rng, 50), arm(rng, 70)
    seen = Seen().after({"a": first})
    bare = (first + second).model_copy(update={"entities": Entities()})
    assert seen.news({"a": bare}, from_start=True) == Arm()
    assert Seen().after({"a": bare}).news({"a": first + second + second}, from_start=True) != Arm()


def test_processes_of_long_ago_are_let_go() -> None:
    seen, one = Seen(), Arm(requests=1)
    for number in range(500):
        seen = seen.after({f"pod-{number}": one, "pod-always": Arm(requests=number)})
    assert len(seen.arms) == REMEMBERED + 2
    assert "pod-always" in seen.arms
    assert set(seen.missed) == set(seen.arms) - {"pod-always", "pod-499"}


def test_a_process_that_is_heard_of_again_counts_once() -> None:
    rng = np.random.default_rng(0)
    first = arm(rng, 50)
    seen = Seen().after({"a": first})
    for _ in range(REMEMBERED):
        seen = seen.after({})
    assert seen.news({"a": first}, from_start=True) == Arm()
    assert seen.after({"a": first}).missed == {}


def test_silence_on_both_sides_is_no_silence_of_the_candidates() -> None:
    known = Progress(passed=PASSED, stable="0001-a", since=START)
    for _ in range(10):
        known = known.after({}, {}, POLICY)
    assert known.silent == 0
    for _ in range(progress.SILENT):
        known = known.after({}, {"b": Arm()}, POLICY)
    assert progress.judge(known, POLICY, START).move == "hold"


@pytest.mark.parametrize("history", [0.0, 0.3, -0.05])
def test_what_was_served_before_the_rollout_is_no_evidence(history: float) -> None:
    """The stable process served for weeks, when predictions were others than now."""
    rng = np.random.default_rng(0)
    other, own = arm(rng, 200_000, higher=history, failing=0.1), Arm()
    known = Progress(passed=PASSED, stable="0001-a", since=START)
    moves = []
    for minute in range(1, 40):
        known = known.after({"pod-1": own}, {"pod-2": other}, POLICY)
        moves.append(progress.judge(known, POLICY, START + timedelta(minutes=minute)).move)
        own, other = own + arm(rng, 20), other + arm(rng, 380)
    assert moves == ["wait"] * 29 + ["advance"] * 10


def test_nothing_goes_further_without_the_stable_bundle_to_compare_with() -> None:
    rng, own = np.random.default_rng(0), Arm()
    known = Progress(passed=PASSED, stable="0001-a", since=START)
    for minute in range(1, 60):
        own += arm(rng, 20)
        known = known.after({"pod-1": own}, {}, POLICY)
        assert progress.judge(known, POLICY, START + timedelta(minutes=minute)).move == "wait"


def test_doubts_about_failures_wait() -> None:
    rng, own, other = np.random.default_rng(0), Arm(), Arm()
    even = Rollout.model_validate({"mode": "canary", "steps": ["50%"]})
    known = Progress(passed=PASSED, stable="0001-a", since=START)
    known = known.after({"pod-1": own}, {"pod-2": other}, even)
    own, other = own + arm(rng, 100), other + arm(rng, 100)
    own = own.model_copy(update={"failed": 8})
    known = known.after({"pod-1": own}, {"pod-2": other}, even)
    found = progress.judge(known, even, START + timedelta(minutes=31))
    assert found.move == "wait"


def test_progress_survives_being_stored() -> None:
    rng = np.random.default_rng(0)
    known = Progress(passed=PASSED, stable="0001-a", since=START)
    known = known.after({"a": arm(rng, 50)}, {"b": arm(rng, 500)}, POLICY)
    assert Progress.model_validate_json(known.model_dump_json()) == known


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": []},
        {"steps": ["25%", "5%"]},
        {"steps": ["0%", "5%"]},
        {"steps": ["50%", "100%"]},
        {"hold": "7h"},
        {"hold": "0s"},
    ],
)
def test_nonsense_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"growing steps|a hold above"):
        Rollout.model_validate({"mode": "canary"} | bad)


@pytest.mark.parametrize(("predicted", "move"), [(4.0, "promote"), (1.0, "hold")])
def test_predictions_are_held_against_what_the_gate_saw(predicted: float, move: str) -> None:
    expected = PASSED.model_copy(update={"predicted": predicted})
    assert turned(higher=0.3, passed=expected)[0] == move


def test_a_candidate_that_falls_silent_is_given_up() -> None:
    rng, other = np.random.default_rng(0), Arm()
    known = Progress(passed=PASSED, stable="0001-a", since=START)
    moves = []
    for own in ({}, {"pod-1": arm(rng, 20)}, {}, {}, {}):
        other += arm(rng, 400)
        known = known.after(own, {"pod-2": other}, POLICY)
        moves.append(progress.judge(known, POLICY, START + timedelta(minutes=1)).move)
    assert moves == ["wait", "wait", "wait", "wait", "hold"]
