"""Representativeness: samples of the traffic pass, others are told by the columns that differ."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.data import representative
from driftloop_contracts.errors import InvalidInput

KINDS = {"age": "numeric", "spend": "numeric", "device": "categorical", "city": "categorical"}


def rows(seed: int, count: int, **change: Any) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(40 + change.get("older", 0), 10, count),
            "spend": np.where(rng.random(count) < change.get("gaps", 0.05), np.nan,
                              rng.exponential(1, count)),
            "device": rng.choice(["mobile", "desktop"], count, p=change.get("devices", [0.7, 0.3])),
            "city": rng.choice(list("abcdefgh"), count),
            "user": rng.integers(0, 500, count),
        }
    )  # fmt: skip


def test_a_sample_of_the_traffic_is_rarely_called_another() -> None:
    """At most 5 % of 60 pairs, within three standard errors."""
    allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    many = [
        representative.compare(rows(s, 2000), rows(s + 1000, 1500), KINDS, effect=0, jointly=False)
        for s in range(60)
    ]
    assert np.mean([bool(one.differing) for one in many]) < allowed


def test_a_classifier_sees_nothing_where_nothing_is() -> None:
    areas = [
        representative.compare(rows(s, 1500), rows(s + 1000, 1500), KINDS, entity="user").joint
        for s in range(6)
    ]
    assert sum(one.area.low > 0.5 for one in areas if one) <= 2
    assert all(one.area.low < representative.AREA for one in areas if one)


@pytest.mark.parametrize(
    ("change", "column", "test"),
    [
        ({"older": 3}, "age", "values"),
        ({"gaps": 0.15}, "spend", "missing"),
        ({"gaps": 0.0}, "spend", "missing"),
        ({"devices": [0.5, 0.5]}, "device", "values"),
    ],
)
def test_the_column_that_differs_is_named(change: dict[str, Any], column: str, test: str) -> None:
    for seed in range(3):
        found = representative.compare(
            rows(seed, 4000), rows(seed + 1000, 4000, **change), KINDS, jointly=False
        )
        assert [(one.name, one.test) for one in found.differing] == [(column, test)]
        back = found.returned()
        assert back is not None
        assert back.rule == "unrepresentative"
        assert f"1 of 4 columns differ; {column}" in back.reason
        json.dumps(found.to_data(), allow_nan=False)


def test_a_new_category_is_told() -> None:
    traffic = rows(2, 3000)
    traffic.loc[::20, "city"] = "z"
    found = representative.compare(rows(1, 3000), traffic, KINDS, jointly=False)
    assert ("city", "unseen") in {(one.name, one.test) for one in found.differing}


def test_what_no_column_shows_the_classifier_does() -> None:
    """Ages of mobile users are another's in the traffic, each column alone is as it was."""
    sample, traffic = rows(1, 4000, devices=[0.5, 0.5]), rows(2, 4000, devices=[0.5, 0.5])
    sample["age"] = 40 + abs(sample["age"] - 40) * np.where(sample["device"] == "mobile", 1, -1)
    traffic["age"] = 40 + abs(traffic["age"] - 40) * np.where(traffic["device"] == "mobile", -1, 1)
    found = representative.compare(sample, traffic, KINDS, entity="user")
    assert found.differing == ()
    assert not found.is_representative
    assert "AUC of 0.9" in found.sentence or "AUC of 1.0" in found.sentence


def test_importance_weights_make_the_sample_like_the_traffic() -> None:
    sample, traffic = rows(1, 6000), rows(2, 6000, older=5)
    found = representative.compare(sample, traffic, KINDS)
    weights = representative.importance(found, sample)
    assert weights.mean() == pytest.approx(1)
    assert np.average(sample["age"], weights=weights) == pytest.approx(45, abs=0.7)
    assert found.joint is not None
    assert 1000 < found.joint.effective < 6000


def test_moody_days_are_no_difference() -> None:
    """Rows come in days that differ; as independent rows nearly every pair would."""
    false = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        frames = []
        for _ in range(2):
            moods = np.repeat(rng.normal(0, 0.3, 60), 50)
            times = pd.date_range("2026-01-01", periods=3000, freq="28min", tz="UTC")
            frames.append(pd.DataFrame({"event_time": times, "x": moods + rng.normal(size=3000)}))
        found = representative.compare(*frames, {"x": "numeric"}, effect=0, jointly=False)
        false += bool(found.differing)
    assert false / 40 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(InvalidInput, match="city"):
        representative.compare(rows(1, 100), rows(2, 100).drop(columns="city"), KINDS)
    with pytest.raises(InvalidInput, match="at least 30"):
        representative.compare(rows(1, 100), rows(2, 10), KINDS)
