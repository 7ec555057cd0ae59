"""Cohorts: every record is judged once, when its label is decided."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from driftloop.drift.concept import Watched
from driftloop.drift.slices import Part, Slice
from driftloop.evaluation import cohort
from driftloop.loop import LearningLoop
from driftloop.spec.data import LabelSource
from driftloop_contracts.drift.concept import Judged, measure_slice

NOON = pd.Timestamp("2026-01-01T12:00:00Z").as_unit("us")
HOUR = pd.Timedelta(hours=1)


def asked(hours: list[int]) -> pd.DataFrame:
    times = [NOON + hour * HOUR for hour in hours]
    ids = [f"p{number}" for number in range(len(hours))]
    frame = {"prediction_id": ids, "event_time": times, "weight": 2.0, "prediction": 0.5}
    return pd.DataFrame(frame | {"bundle_version": "v1"})


def told(*reports: tuple[int, float, int, int]) -> pd.DataFrame:
    """Return outcomes of (record, value, hour known, revision)."""
    columns = ["prediction_id", "label", "value", "event_time", "known_time", "revision"]
    rows = [
        (f"p{n}", "clicked", value, NOON + hour * HOUR, NOON + hour * HOUR, revision)
        for n, value, hour, revision in reports
    ]
    return pd.DataFrame(rows, columns=columns)


def between(loop: LearningLoop, asked_: Any, told_: Any, first: int, last: int) -> Any:
    start, end = ((NOON + hour * HOUR).to_pydatetime() for hour in (first, last))
    return cohort.between(asked_, told_[told_["known_time"] <= end], loop, start, end)


def test_a_record_waits_for_its_maturity(ads: LearningLoop) -> None:
    records, outcomes = asked([0]), told((0, 1.0, 1, 0))
    assert between(ads, records, outcomes, 0, 23) is None
    found = between(ads, records, outcomes, 23, 47)
    assert (found["rows"], found["impressions"], found["positives"]) == (1, 2.0, 1.0)
    assert found["coverage"] == 1.0


def test_a_correction_does_not_judge_a_record_again(ads: LearningLoop) -> None:
    records, outcomes = asked([0]), told((0, 1.0, 24, 0), (0, 2.0, 30, 1))
    assert between(ads, records, outcomes, 23, 29)["positives"] == 1.0
    assert between(ads, records, outcomes, 29, 60) is None


def test_a_record_without_a_report_is_judged_once_where_that_is_a_no(ads: LearningLoop) -> None:
    label = {"name": "clicked", "maturity": "1d", "absent": "negative"}
    data = ads.spec.data.model_copy(update={"labels": (LabelSource.model_validate(label),)})
    loop = ads.model_copy(update={"spec": ads.spec.model_copy(update={"data": data})})
    records, outcomes = asked([0]), told((0, 1.0, 72, 0))
    assert between(loop, records, outcomes, 0, 30)["positives"] == 0.0
    assert between(loop, records, outcomes, 30, 90) is None


def test_a_record_is_not_judged_before_its_window_is_logged(ads: LearningLoop) -> None:
    window = ads.spec.drift.window.model_copy(update={"min_duration": timedelta(days=7)})
    drift = ads.spec.drift.model_copy(update={"window": window})
    loop = ads.model_copy(update={"spec": ads.spec.model_copy(update={"drift": drift})})
    records, outcomes = asked([0]), told((0, 1.0, 24, 0))
    ends = NOON.floor("7D") + pd.Timedelta(days=7)
    hours = int((ends - NOON) / HOUR)
    assert hours > 24
    assert between(loop, records, outcomes, 24, hours - 1) is None
    assert between(loop, records, outcomes, hours - 1, hours)["rows"] == 1


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60), st.booleans()), max_size=12),
    st.lists(st.integers(1, 120), min_size=1, max_size=6).map(sorted),
)
def test_whatever_the_times_of_the_jobs_each_record_is_in_one_cohort(
    ads: LearningLoop, records: list[tuple[int, int, bool]], hours: list[int]
) -> None:
    frame = asked([hour for hour, _, _ in records])
    outcomes = told(
        *[(n, 1.0, hour + later, 0) for n, (hour, later, there) in enumerate(records) if there]
    )
    ends = [*hours, 200]
    found = [between(ads, frame, outcomes, a, b) for a, b in zip([0, *ends], ends, strict=False)]
    judged = sum(one["rows"] for one in found if one)
    assert judged == sum(there for _, _, there in records)


def test_slices_are_told_beside_the_whole_where_there_are_any(ads: LearningLoop) -> None:
    own = ads.spec.gate.slices.model_copy(update={"columns": ("category", "query_id")})
    gate = ads.spec.gate.model_copy(update={"slices": own})
    loop = ads.model_copy(update={"spec": ads.spec.model_copy(update={"gate": gate})})
    assert cohort.columns(loop) == (*cohort.columns(ads), "category")
    records = asked([0, 0, 0, 0]).assign(category=["ski", "ski", "hats", None])
    outcomes = told(*[(number, 1.0, 1, 0) for number in range(4)])
    judged = Judged(np.full(50, 0.5), np.arange(50) % 2.0, np.ones(50), np.arange(50) // 5)
    known = measure_slice(judged, judged, 0.05)
    parts = tuple(Slice(Part("category", name), known) for name in ("ski", "hats", "boots"))
    start, end = ((NOON + hour * HOUR).to_pydatetime() for hour in (23, 47))
    whole = cohort.between(records, outcomes, loop, start, end, Watched("v1", known, 20))
    assert whole
    assert "slices" not in whole
    found = cohort.between(records, outcomes, loop, start, end, Watched("v1", known, 20, parts))
    assert found
    assert found["outcomes"]["rows"] == 4
    rows = {one["slice"]: one["rows"] for one in found["slices"]}
    assert rows == {"category = ski": 2, "category = hats": 1, "category = boots": 0}
