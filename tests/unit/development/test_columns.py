"""Importances cover the truth, columns that go together are told together, probes see faults."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from driftloop.development import columns, dropping, importance, probes, selection
from driftloop_contracts.errors import InvalidInput

NAMES = ("a", "twin", "b", "noise", "word")
ROWS, SEEDS = 1_500, 25


def frame(seed: int, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=rows), rng.normal(size=rows)
    odds = 1.5 * a - 1.0 * b
    days = pd.to_timedelta(np.sort(rng.random(rows)) * 10, unit="D")
    return pd.DataFrame(
        {
            "event_time": pd.Timestamp("2026-01-01", tz="UTC") + days,
            "user": rng.integers(150, size=rows), "a": a, "twin": a + rng.normal(0, 0.1, rows),
            "b": b, "noise": rng.normal(size=rows), "word": rng.choice(["x", "y"], rows),
            "weight": 1.0, "positives": 1.0 * (rng.random(rows) < special.expit(odds)),
        }
    )  # fmt: skip


def predict(rows: pd.DataFrame):
    """A model that took half of what ``a`` tells from its twin, and a little of what is noise."""
    odds = 0.75 * rows["a"] + 0.75 * rows["twin"] - rows["b"] + 0.01 * rows["noise"]
    return special.expit(odds.to_numpy("float64"))


def rises(seed: int) -> dict[tuple[str, ...], importance.Importance]:
    rng = np.random.default_rng(seed)
    groups = [("a", "twin"), ("b",), ("noise",)]
    found = importance.permuted(frame(seed), NAMES, "user", predict, rng, groups=groups)
    return {one.columns: one for one in found}


@pytest.fixture(scope="module")
def many() -> list[dict[tuple[str, ...], importance.Importance]]:
    return [rises(seed) for seed in range(SEEDS)]


def test_intervals_cover_the_truth_and_noise_is_called_noise(many) -> None:
    """At 95 %, less what the bootstrap of 150 entities lacks; the truth is that of many rows."""
    big = importance.permuted(
        frame(999, 60_000), NAMES, "user", predict, np.random.default_rng(0), 1,
        [("a", "twin"), ("b",), ("noise",)],
    )  # fmt: skip
    least = stats.binom.ppf(0.001, SEEDS, 0.9)
    for truth in big:
        own = [one[truth.columns].rise for one in many]
        covered = sum(one.low <= truth.rise.estimate <= one.high for one in own)
        assert covered >= least, (truth.columns, covered)
    assert sum(one["noise",].is_noise for one in many) >= least
    assert not any(one["b",].is_noise or one["a", "twin"].is_noise for one in many)


def test_twins_are_permuted_together() -> None:
    own = columns.together(frame(1), NAMES, np.random.default_rng(0))
    assert own == [("a", "twin"), ("b",), ("noise",), ("word",)]


def test_a_category_goes_with_its_number() -> None:
    rows = frame(2).assign(word=lambda f: np.where(f["b"] > 0, "high", "low"))
    rows["sign"] = (rows["b"] > 0) * 1.0
    assert ("word", "sign") in columns.together(
        rows, ["word", "sign", "a"], np.random.default_rng(0)
    )


def test_what_is_noise_may_go_and_what_counts_stays(many) -> None:
    advised = {one.columns: one.what for one in selection.suggest(list(many[0].values()), [])}
    assert advised["b",] == advised["a", "twin"] == "keep"
    assert advised["noise",] == "drop"


def test_a_fit_without_a_needed_column_is_worse() -> None:
    def fit(rows: pd.DataFrame):
        rate = rows["positives"].mean()
        constant = rows["b"].nunique() == 1
        return lambda later: np.full(len(later), rate) if constant else predict(later)

    rng = np.random.default_rng(0)
    found = dropping.checked(frame(3), frame(4), [("b",), ("word",)], "user", fit, rng)
    assert found[0].rise.low > 0.05
    assert found[1].rise.estimate == 0


def test_probes_see_a_leak_a_constant_a_stop_and_a_move() -> None:
    early, late = frame(5), frame(6)
    early = early.assign(late_known=early["positives"], same=1.0, stopped=early["a"])
    late = late.assign(late_known=late["positives"], same=1.0, stopped=0.0, b=late["b"] + 1)
    names = [*NAMES, "late_known", "same", "stopped"]
    found = probes.probe(early, late, names, "user", 0.8, np.random.default_rng(0))
    told = {one.column: one for one in found}
    assert told["late_known"].leaked
    assert told["same"].constant
    assert told["stopped"].stopped
    assert told["b"].moved is not None
    assert all(told[name].is_clean for name in ("a", "noise", "word"))
    said = [one.reason for one in selection.suggest([], found)]
    assert any("written after the outcome" in text for text in said)


def test_nothing_moved_is_said_of_hardly_any_column() -> None:
    """At 5 % for all columns of a pair together, and none of them moved so far."""
    rng = np.random.default_rng(0)
    pairs = [(frame(seed), frame(seed + 500)) for seed in range(20)]
    found = [probes.probe(*pair, NAMES, "user", 0.8, rng) for pair in pairs]
    alarms = sum(any(one.moved is not None for one in each) for each in found)
    assert alarms <= stats.binom.ppf(0.999, len(pairs), probes.ERROR)


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(InvalidInput, match="column 'a' in the held-out rows must be present"):
        importance.permuted(
            frame(1).drop(columns="a"), NAMES, "user", predict, np.random.default_rng(0)
        )
