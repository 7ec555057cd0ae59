"""The promises of off-policy estimates: coverage, variance, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from driftloop.business import off_policy, policy, promise, reward_model, weights
from driftloop_contracts.errors import InvalidInput

SEEDS, ROUNDS = 100, 600


class Bandit:
    """Two features, four actions; rewards are clicks whose rates are known."""

    def __init__(self, seed: int, rounds: int = ROUNDS, skew: float = 1.5) -> None:
        rng = np.random.default_rng(seed)
        self.context = rng.normal(size=(rounds, 2))
        slope = np.array([[0.8, -0.2], [-0.8, 0.3], [0.2, 0.9], [-0.1, -0.9]])
        self.rate = 1 / (1 + np.exp(-(self.context @ slope.T - 0.8)))
        self.logging = policy.softmax(self.context @ slope[::-1].T, skew)
        self.judged = policy.epsilon_greedy(self.context @ slope.T, 0.3)
        drawn = rng.random((rounds, 1)) < self.logging.cumsum(axis=1)
        self.action = drawn.argmax(axis=1)
        mine = policy.of_chosen(self.rate, self.action)
        self.reward = (rng.random(rounds) < mine).astype(float)
        self.rng = rng

    def rounds(self) -> off_policy.Rounds:
        expected = reward_model.cross_fitted(
            self.context, self.action, self.reward, self.judged, self.rng
        )
        chosen = [policy.of_chosen(p, self.action) for p in (self.judged, self.logging)]
        return off_policy.rounds(self.reward, *chosen, expected=expected)


def truth() -> float:
    big = Bandit(10_000, rounds=400_000)
    return float((big.rate * big.judged).sum(axis=1).mean())


@pytest.fixture(scope="module")
def estimates() -> dict[str, list[off_policy.Value]]:
    found: dict[str, list[off_policy.Value]] = {"ips": [], "snips": [], "dr": []}
    for seed in range(SEEDS):
        bandit = Bandit(seed)
        log = bandit.rounds()
        assert log.diagnostics.effective > weights.ENOUGH
        assert log.diagnostics.faults == ()
        for method, values in found.items():
            values.append(off_policy.estimate(log, method, bandit.rng, resamples=200))
    return found


@pytest.mark.parametrize("method", ["ips", "snips", "dr"])
@pytest.mark.parametrize("kind", ["asymptotic", "bootstrap"])
def test_a_95_percent_interval_covers_the_truth(
    estimates: dict[str, list[off_policy.Value]], method: str, kind: str
) -> None:
    bounds = [getattr(value, kind) for value in estimates[method]]
    covered = sum(low <= truth_of_bandit() <= high for low, _, high in bounds)
    # At a coverage of 90 % fewer than that are covered with a chance below 0.1 %.
    assert covered >= stats.binom.ppf(0.001, SEEDS, 0.9)
    # And an interval that covers always would be of no use.
    widths = [high - low for low, _, high in bounds]
    assert np.mean(widths) < 0.25


_truth: list[float] = []


def truth_of_bandit() -> float:
    if not _truth:
        _truth.append(truth())
    return _truth[0]


def test_doubly_robust_varies_less_than_ips(
    estimates: dict[str, list[off_policy.Value]],
) -> None:
    spread = {name: np.std([v.value for v in values]) for name, values in estimates.items()}
    assert spread["dr"] <= spread["ips"]
    assert spread["snips"] <= spread["ips"]
    # The error that an estimate tells of itself is the one it makes.
    for name, values in estimates.items():
        told = np.mean([value.measured.error for value in values])
        assert told == pytest.approx(spread[name], rel=0.15)


def test_none_is_biased(estimates: dict[str, list[off_policy.Value]]) -> None:
    for values in estimates.values():
        found = np.array([value.value for value in values])
        assert abs(found.mean() - truth_of_bandit()) < 4 * found.std() / np.sqrt(SEEDS)


def test_doubly_robust_stands_on_a_model_that_knows_nothing() -> None:
    class Nothing:
        def fit(self, *_: Any, **__: Any) -> Nothing:
            return self

        def predict(self, x: Any) -> Any:
            return np.full(len(x), 0.9)

    found = []
    for seed in range(100):
        bandit = Bandit(seed)
        expected = reward_model.cross_fitted(
            bandit.context, bandit.action, bandit.reward, bandit.judged, bandit.rng, model=Nothing
        )
        chosen = [policy.of_chosen(p, bandit.action) for p in (bandit.judged, bandit.logging)]
        log = off_policy.rounds(bandit.reward, *chosen, expected=expected)
        found.append(off_policy.estimate(log, "dr", bandit.rng, resamples=2).value)
    assert abs(np.mean(found) - truth_of_bandit()) < 4 * np.std(found) / 10


def test_clipping_tells_its_bias() -> None:
    biases, errors = [], []
    for seed in range(100):
        bandit = Bandit(seed, skew=0.7)
        chosen = [policy.of_chosen(p, bandit.action) for p in (bandit.judged, bandit.logging)]
        log = off_policy.rounds(bandit.reward, *chosen)
        clipped = off_policy.estimate(log, "ips", bandit.rng, clip=2.0, resamples=2)
        whole = off_policy.estimate(log, "ips", bandit.rng, resamples=2)
        assert clipped.bias == pytest.approx(clipped.value - whole.value)
        assert 0 < clipped.clipped < 1
        assert (whole.bias, whole.clipped, whole.clip) == (0.0, 0.0, None)
        assert clipped.measured.error < whole.measured.error
        biases.append(clipped.bias)
        errors.append(clipped.value - truth_of_bandit())
    # What is told is what clipping does, on average.
    assert np.mean(biases) == pytest.approx(np.mean(errors), abs=0.03)
    assert np.mean(biases) < -0.05


def test_rows_of_many_rounds_are_as_many_rows() -> None:
    single = off_policy.rounds([1, 0, 0, 1], [0.5] * 4, [0.25, 0.25, 0.25, 0.5])
    together = off_policy.rounds([1, 1], [0.5, 0.5], [0.25, 0.5], count=[3, 1])
    rng = np.random.default_rng(0)
    for method in ("ips", "snips"):
        one, other = (off_policy.estimate(log, method, rng) for log in (single, together))
        assert one.value == pytest.approx(other.value)
    assert single.diagnostics.effective == pytest.approx(together.diagnostics.effective)


def test_rounds_of_a_group_rise_and_fall_together() -> None:
    rng = np.random.default_rng(3)
    entity = np.repeat(np.arange(50), 20)
    reward = (rng.random(50) < 0.3)[entity].astype(float)
    half = np.full(1000, 0.5)
    apart = off_policy.estimate(off_policy.rounds(reward, half, half), "ips", rng)
    joined = off_policy.estimate(off_policy.rounds(reward, half, half, group=entity), "ips", rng)
    assert joined.measured.error > 3 * apart.measured.error
    assert joined.bootstrap.high - joined.bootstrap.low == pytest.approx(
        joined.asymptotic.high - joined.asymptotic.low, rel=0.2
    )


@pytest.mark.parametrize(
    ("propensity", "target", "said"),
    [
        ([0.5, 0.0], [0.5, 0.5], "propensity of round 1 in the logged rounds must be a prob"),
        ([1.5, 0.5], [0.5, 0.5], "Got 1.5."),
        ([0.5, float("nan")], [0.5, 0.5], "a finite number. Got nan."),
        ([0.5, 0.5], [0.5, -0.1], "target probability of round 1"),
        ([0.5, 0.5], [0.5], "2 numbers, one a round"),
        ([], [], "of at least one"),
        ("wrong", [0.5], "must be numbers"),
        ([1e-320, 0.5], [0.5, 0.5], "the propensity is too small"),
    ],
)
def test_what_cannot_be_used_is_refused(propensity: Any, target: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("(", "\\(")):
        off_policy.rounds([1.0] * len(target), target, propensity)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "dm"}, "method in an off-policy estimate"),
        ({"method": "dr"}, "expected rewards"),
        ({"method": "ips", "clip": 0.0}, "clip in an off-policy estimate"),
    ],
)
def test_an_estimate_refuses_nonsense(options: dict[str, Any], said: str) -> None:
    log = off_policy.rounds([1.0, 0.0], [0.5, 0.5], [0.5, 0.5])
    with pytest.raises(InvalidInput, match=said):
        off_policy.estimate(log, rng=np.random.default_rng(0), **options)


def test_a_policy_that_takes_nothing_of_the_log_is_refused() -> None:
    log = off_policy.rounds([1.0, 0.0], [0.0, 0.0], [0.5, 0.5])
    with pytest.raises(InvalidInput, match="one that takes an action of the log"):
        off_policy.estimate(log, "snips", np.random.default_rng(0))


def test_diagnostics_find_what_the_log_never_did() -> None:
    rng = np.random.default_rng(1)
    action = rng.integers(0, 2, 5000)  # the log never takes action 2, the judged policy does
    judged = np.full(5000, 0.25)
    found = off_policy.rounds(np.ones(5000), judged, np.full(5000, 0.5)).diagnostics
    assert found.mean == pytest.approx(0.5)
    assert "never made" in found.faults[0]
    few = off_policy.rounds(action[:50].astype(float), [0.5] * 50, [0.5] * 50).diagnostics
    assert few.effective == 50
    assert "effective sample size is 50" in few.faults[0]
    assert few.to_data()["faults"] == list(few.faults)


def test_weights_that_entities_share_are_no_fault() -> None:
    """The policy differs by entity: the weights' mean is as sure as so many entities make it."""
    rng, wrong, sizes = np.random.default_rng(2), 0, []
    for _ in range(200):
        per_entity = rng.choice([0.4, 1.6], 400)  # of mean 1
        entity = rng.integers(0, 400, 8000)
        weight = per_entity[entity]
        log = off_policy.rounds(np.ones(8000), weight / 2, np.full(8000, 0.5), group=entity)
        wrong += log.diagnostics.faults != ()
        sizes.append(log.diagnostics.effective)
    assert wrong <= stats.binom.ppf(0.999, 200, 0.001)
    # Kish's size of entities whose weights are 0.4 or 1.6, and whose rounds differ in number.
    assert np.mean(sizes) == pytest.approx(400 / 1.36 / 1.05, rel=0.05)
    # Taken for independent, the rounds would promise far more.
    assert off_policy.rounds(log.reward, weight / 2, np.full(8000, 0.5)).diagnostics.effective > 5e3


def test_few_entities_are_few_however_many_rounds_they_have() -> None:
    rng, entity = np.random.default_rng(4), np.arange(8000) % 40
    half = np.full(8000, 0.5)
    log = off_policy.rounds(rng.random(8000), half, half, group=entity)
    assert log.diagnostics.effective == pytest.approx(40)
    (fault,) = promise.judge("clicks", log, rng, resamples=10).faults
    assert "effective sample size is 40 of 40 groups" in fault
    few = off_policy.rounds(rng.random(8000), half, half, group=entity % 10)
    assert "10 independent groups" in promise.judge("c", few, rng, resamples=10).faults[-1]


def test_a_reward_model_never_saw_its_round() -> None:
    seen: list[set[float]] = []

    class Spy:
        def fit(self, x: Any, y: Any, sample_weight: Any) -> Spy:
            seen.append(set(y))
            return self

        def predict(self, x: Any) -> Any:
            return np.full(len(x), float(len(seen)))

    rng = np.random.default_rng(0)
    reward, group = np.arange(100.0), np.arange(100) // 10
    judged = np.full((100, 2), 0.5)
    expected = reward_model.cross_fitted(
        rng.normal(size=(100, 1)), np.zeros(100, int), reward, judged, rng, group=group, model=Spy
    )
    for fold, held in enumerate(seen, 1):
        mine = expected.logged == fold
        assert not held & set(reward[mine])
        assert not set(group[mine]) & {int(value) // 10 for value in held}


@pytest.mark.parametrize(
    ("action", "target"),
    [([0, 2], [[0.5, 0.5]] * 2), ([0, 1], [[0.5, 0.4]] * 2), ([0, 1], [[1.0, 0.0]]),
     ([0.0, 1.0], [[0.5, 0.5]] * 2)],
)  # fmt: skip
def test_a_reward_model_refuses_what_does_not_fit(action: Any, target: Any) -> None:
    with pytest.raises(InvalidInput):
        reward_model.cross_fitted(
            [[0.0], [1.0]], action, [0.0, 1.0], target, np.random.default_rng(0)
        )
