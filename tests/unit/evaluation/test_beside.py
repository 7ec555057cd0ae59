"""Two bundles side by side: the same hours, other entities, and errors that say so."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.evaluation import beside
from driftloop.loop import LearningLoop

NEWER, OLDER = "0010-b", "0009-a"


def rows(
    seed: int, users: int = 400, size: int = 6000, worse: float = 1.0, better: float = 0.0
) -> pd.DataFrame:
    """A day in which the newer bundle's share grows, and so do clicks; ``users`` keep a bundle.

    ``worse``: what its predictions are multiplied by; ``better``: more clicks of its.
    """
    rng = np.random.default_rng(seed)
    rate, place = rng.beta(2, 10, users), rng.random(users)
    user, hour = rng.integers(users, size=size), np.sort(rng.uniform(0, 24, size))
    newer = place[user] < np.where(hour < 12, 0.1, 0.5)
    truth = np.clip(rate[user] * (0.5 + hour / 24) + better * newer, 0, 1)
    day = pd.Timestamp("2026-03-01", tz="UTC")
    return pd.DataFrame(
        {
            "bundle_version": np.where(newer, NEWER, OLDER),
            "query_id": user,
            "event_time": day + pd.to_timedelta(hour, unit="h"),
            "prediction": np.clip(truth * np.where(newer, worse, 1.0), 0.001, 0.999),
            "positives": (rng.random(size) < truth).astype(float),
            "weight": 1.0,
        }
    )


def told(ads: LearningLoop, frame: pd.DataFrame) -> dict[str, Any]:
    found = beside.compare(frame, ads)
    assert found is not None
    return json.loads(json.dumps(found))


def test_bundles_that_are_alike_differ_by_as_much_as_the_errors_say(ads: LearningLoop) -> None:
    scores = []
    for seed in range(120):
        found = told(ads, rows(seed))
        for name in ("kpi", "calibration"):
            own, other = found[name]["values"]
            scores.append((own - other) / np.hypot(*found[name]["errors"]))
    kpis, calibrations = np.array(scores[::2]), np.array(scores[1::2])
    for one in (kpis, calibrations):
        assert abs(one.mean()) < 0.35, "the growing share and the growing rate do not bias it"
        assert 0.8 < one.std() < 1.2


def test_without_the_hours_a_growing_share_would_look_like_more_clicks(ads: LearningLoop) -> None:
    frame = rows(0, users=4000, size=40_000)
    by_bundle = frame.groupby("bundle_version")["positives"].mean()
    assert by_bundle[NEWER] / by_bundle[OLDER] > 1.05
    own, other = told(ads, frame)["calibration"]["values"]
    assert abs(own - other) < 0.1


def test_a_bundle_that_predicts_half_is_off_by_the_logarithm_of_two(ads: LearningLoop) -> None:
    found = told(ads, rows(1, size=20_000, worse=0.5))
    assert found["bundles"] == [NEWER, OLDER]
    own, other = found["calibration"]["values"]
    assert own == pytest.approx(np.log(2), abs=4 * found["calibration"]["errors"][0])
    assert abs(other) < 4 * found["calibration"]["errors"][1]
    assert found["kpi"]["values"][0] < found["kpi"]["values"][1]


def test_a_kpi_to_be_kept_small_is_turned(ads: LearningLoop) -> None:
    kpi = ads.spec.objective.kpi.model_copy(update={"formula": "rate", "direction": "minimize"})
    objective = ads.spec.objective.model_copy(update={"kpi": kpi})
    less = ads.model_copy(update={"spec": ads.spec.model_copy(update={"objective": objective})})
    found = told(less, rows(2, size=20_000, better=0.3))
    assert found["kpi"]["values"][0] < found["kpi"]["values"][1] < 0


def test_what_was_not_side_by_side_is_not_compared(ads: LearningLoop) -> None:
    frame = rows(3)
    alone = frame[frame["bundle_version"] == OLDER]
    assert beside.compare(alone, ads) is None
    assert beside.compare(frame.drop(columns="query_id"), ads) is None
    apart = frame.copy()
    apart.loc[apart["bundle_version"] == NEWER, "event_time"] += pd.Timedelta(days=2)
    assert beside.compare(apart, ads) is None
    few = frame[frame["query_id"] < 12]
    assert beside.compare(few, ads) is None


def test_rows_of_a_third_bundle_do_not_hide_the_two_that_stood_side_by_side(
    ads: LearningLoop,
) -> None:
    """One that went back before is labelled late."""
    frame, late = rows(5), rows(6).head(300)
    late["bundle_version"] = "0011-c"
    late["event_time"] -= pd.Timedelta(days=3)
    found = told(ads, pd.concat([frame, late], ignore_index=True))
    assert found["bundles"] == [NEWER, OLDER]
    assert found["start"] == "2026-03-01T00:00:00Z"
    assert found["end"] == "2026-03-02T00:00:00Z"


def test_no_click_at_all_leaves_a_gap_and_no_error(ads: LearningLoop) -> None:
    found = told(ads, rows(4).assign(positives=0.0))
    assert found["calibration"] is None
