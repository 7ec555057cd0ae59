"""Mature records: from the bundle's concept to a cause of retraining."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special

from driftloop import decisions
from driftloop.decisions import CohortMatured, decide
from driftloop.drift import concept, matured
from driftloop.drift.concept import Watched
from driftloop.drift.matured import Matured
from driftloop.loop import LearningLoop
from driftloop.services.controller import translation
from driftloop.state import Interval, State
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput

START = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")
DAY = pd.Timedelta(days=1)
SPAN = timedelta(days=1)
ROWS = 1000


def frame(days: int, seed: int, shift: float = 0.0, day: int = 0, bundle: str = "v1") -> Any:
    """Labelled records, a thousand a day, whose log-odds moved by ``shift`` since training."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=days * ROWS)
    p = special.expit(-2 + x)
    came = rng.random(len(x)) < special.expit(-2 + x + shift)
    times = START + (day + np.arange(len(x)) // ROWS) * DAY
    columns = {"event_time": times, "weight": 1.0, "positives": came.astype(float)}
    return pd.DataFrame(columns | {"prediction": p, "probability": p, "bundle_version": bundle})


@pytest.fixture
def watched(ads: LearningLoop) -> Watched:
    rows = frame(20, 0)
    known = concept.build(frame(5, 1), rows, rows["probability"].to_numpy(), ads)
    assert known
    return Watched("v1", known, 20)


def event(watched: Watched, rows: pd.DataFrame) -> CohortMatured:
    """What the controller makes of the event that tells of ``rows``."""
    data = {"outcomes": watched.told(rows, SPAN)}
    told = CloudEvent(
        "c/1", "/job", event_types.COHORT_SCORED, datetime(2026, 1, 9, tzinfo=UTC), data
    )
    found = translation.cohort(told)
    assert found
    return found


def serving(**update: Any) -> State:
    return State(champion="v1", number=1, data_end=START.to_pydatetime()).model_copy(update=update)


def after(state: State, loop: LearningLoop, told: CohortMatured) -> decisions.Decision:
    return decide(state, told, loop.spec, datetime(2026, 1, 9, tzinfo=UTC))


def test_outcomes_that_left_the_predictions_are_a_cause(
    ads: LearningLoop, watched: Watched
) -> None:
    decision = after(serving(), ads, event(watched, frame(1, 2, shift=1.0, day=8)))
    (cause,) = decision.state.waiting
    assert (cause.kind, cause.onset) == ("drift", (START + 8 * DAY).to_pydatetime())
    assert "concept drift: outcomes " in cause.evidence[0]
    assert cause.rules == ("concept_drift",)
    assert decision.state.matured is None


def test_outcomes_that_follow_them_are_none(ads: LearningLoop, watched: Watched) -> None:
    decision = after(serving(), ads, event(watched, frame(1, 2, day=8)))
    assert decision.state == serving()


def test_few_rows_wait_for_more(ads: LearningLoop, watched: Watched) -> None:
    few = frame(1, 2, shift=1.0, day=8)
    first = after(serving(), ads, event(watched, few[:150]))
    assert first.state.matured
    assert first.state.waiting == ()
    second = after(first.state, ads, event(watched, few[150:]))
    assert second.state.waiting
    assert second.state.matured is None


def test_another_bundles_records_and_broken_times_tell_nothing(
    ads: LearningLoop, watched: Watched
) -> None:
    told = event(watched, frame(1, 2, shift=1.0, day=8))
    assert after(serving(champion="v2"), ads, told).state.waiting == ()
    start = (START + 8 * DAY).to_pydatetime()
    broken = serving(quarantine=(Interval(start=start, end=start + SPAN),))
    assert after(broken, ads, told).state == broken
    of_another = watched.told(frame(1, 2, bundle="v2"), SPAN)
    assert of_another is None


def test_a_record_without_a_prediction_is_left_out(watched: Watched) -> None:
    rows = frame(1, 2)
    rows.loc[:9, "prediction"] = np.nan
    told = watched.told(rows, SPAN)
    assert told
    assert matured.from_data(told).rows == ROWS - 10


def test_a_loop_may_not_watch_outcomes(ads: LearningLoop) -> None:
    off = ads.spec.drift.outcomes.model_copy(update={"watch": False})
    drift = ads.spec.drift.model_copy(update={"outcomes": off})
    loop = ads.model_copy(update={"spec": ads.spec.model_copy(update={"drift": drift})})
    assert concept.build(frame(5, 1), frame(5, 1), np.full(5 * ROWS, 0.1), loop) is None
    assert concept.watched("v1", b"{}", None) is None


def test_sums_that_do_not_fit_are_refused(watched: Watched) -> None:
    told = watched.told(frame(1, 2), SPAN)
    assert told
    for wrong in (
        "text",
        told | {"rows": -1},
        told | {"seen": {}},
        told | {"seen": {name: values[:-1] for name, values in told["seen"].items()}},
        told | {"concept": told["concept"] | {"cuts": []}},
        told | {"more": 1},
    ):
        with pytest.raises(InvalidInput):
            matured.from_data(wrong)
    assert isinstance(matured.from_data(told), Matured)
