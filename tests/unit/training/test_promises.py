"""The contract of the source that a training's rows are from."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop import loop, usecase
from driftloop.loop import LearningLoop
from driftloop.training import promises
from driftloop.training.order import Order
from driftloop.usecase import Span
from driftloop_contracts.errors import InvalidInput, RunFailed

MATURITY = timedelta(days=1)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """The simulator's first sixty days, without a fault in them."""
    asked = usecase.find("ads_ctr").read(Span(seed=2)).requests
    found = asked[asked["event_time"] < "2026-03-02"].rename(columns={"row_id": "prediction_id"})
    return found.assign(positives=0.0)


def order(rows: pd.DataFrame, quarantine: Any = ()) -> Order:
    cutoff = rows["event_time"].max().ceil("D").to_pydatetime() + MATURITY
    return Order("ads-ctr", 1, cutoff, quarantine=quarantine)


def test_the_simulator_keeps_its_contract(rows: pd.DataFrame, ads: LearningLoop) -> None:
    found = promises.check(rows, ads, order(rows), "simulator")
    assert found is not None
    assert found.returned() is None
    assert len(found.good) == len(rows)
    assert "volume" in {one.rule for one in found.findings}


def test_a_broken_day_is_told_and_the_training_goes_on(rows: Any, ads: LearningLoop) -> None:
    last = rows["event_time"] >= "2026-03-01"
    found = promises.check(rows[~last | (np.arange(len(rows)) % 5 == 0)], ads, order(rows), "")
    assert found is not None
    back = found.returned()
    assert back is not None
    assert "On 2026-03-01 simulator has 200 rows" in back.reason


def test_quarantined_days_are_no_missing_days(rows: Any, ads: LearningLoop) -> None:
    start = pd.Timestamp("2026-03-01T00:00Z").to_pydatetime()
    work = order(rows, ((start, start + timedelta(days=1)),))
    found = promises.check(rows[rows["event_time"] < start], ads, work, "simulator")
    assert found is not None
    assert found.returned() is None


def test_a_contract_may_stop_a_training(rows: Any, content: dict[str, Any]) -> None:
    first, *others = content["spec"]["data"]["sources"]
    first = first | {"contract": first["contract"] | {"onBreak": "stop"}}
    spec = content["spec"] | {"data": content["spec"]["data"] | {"sources": [first, *others]}}
    strict = loop.parse(content | {"spec": spec}, "loop.yaml")
    with pytest.raises(RunFailed, match="device is missing"):
        promises.check(rows.assign(device=None), strict, order(rows), "simulator")


def test_another_source_is_no_source(rows: Any, ads: LearningLoop) -> None:
    with pytest.raises(InvalidInput, match="tape"):
        promises.check(rows, ads, order(rows), "tape")


def test_the_real_log_keeps_its_contract(ads: LearningLoop) -> None:
    shared = os.environ.get("DRIFTLOOP_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")
    files = sorted((Path(shared) / "google_adwords_daily").glob("*.[cp][sa][vr]*"))
    if not files:
        pytest.skip("The folder of real data has no google_adwords_daily.")
    asked = usecase.find("ads_ctr").read(Span(data=files[0])).requests
    rows = asked.rename(columns={"row_id": "prediction_id"}).assign(positives=0.0)
    found = promises.check(rows, ads, order(rows), "daily_log")
    assert found is not None
    assert (found.returned(), len(found.rejected)) == (None, 0)
