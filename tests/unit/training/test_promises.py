"""The contract of the source that a training's rows are from."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop import loop, parquet, usecase
from driftloop.laptop.pipeline_process import PipelineProcess
from driftloop.loop import LearningLoop
from driftloop.training import outcome, promises, steps
from driftloop.training.order import Order
from driftloop.usecase import Span
from driftloop_contracts.errors import InvalidInput, RunFailed
from driftloop_contracts.object_store import FileStore

MATURITY = timedelta(days=1)
LAG = timedelta(days=1)
"""After its end until a day is looked at, by the contract."""


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """The simulator's first sixty days, without a fault in them."""
    asked = usecase.find("ads_ctr").read(Span(seed=2)).requests
    found = asked[asked["event_time"] < "2026-03-02"].rename(columns={"row_id": "prediction_id"})
    return found.assign(positives=0.0)


def order(rows: pd.DataFrame, quarantine: Any = (), source: str = "") -> Order:
    cutoff = rows["event_time"].max().ceil("D").to_pydatetime() + MATURITY + LAG
    return Order("ads-ctr", 1, cutoff, quarantine=quarantine, source=source)


def test_the_simulator_keeps_its_contract(rows: pd.DataFrame, ads: LearningLoop) -> None:
    found = promises.check(rows, ads, order(rows, source="simulator"))
    assert found is not None
    assert found.returned() is None
    assert len(found.good) == len(rows)
    assert "volume" in {one.rule for one in found.findings}


def test_a_broken_day_is_told_and_the_training_goes_on(rows: Any, ads: LearningLoop) -> None:
    last = rows["event_time"] >= "2026-03-01"
    found = promises.check(rows[~last | (np.arange(len(rows)) % 5 == 0)], ads, order(rows))
    assert found is not None
    back = found.returned()
    assert back is not None
    assert "On 2026-03-01 simulator has 200 rows" in back.reason


def test_quarantined_days_are_no_missing_days(rows: Any, ads: LearningLoop) -> None:
    start = pd.Timestamp("2026-03-01T00:00Z").to_pydatetime()
    work = order(rows, ((start, start + timedelta(days=1)),))
    found = promises.check(rows[rows["event_time"] < start], ads, work)
    assert found is not None
    assert found.returned() is None


def test_a_contract_that_stops_a_training_says_so_to_the_loop(
    rows: Any, content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = content["spec"]["data"]["sources"]
    first = first | {"contract": first["contract"] | {"onBreak": "stop"}}
    spec = content["spec"] | {"data": content["spec"]["data"] | {"sources": [first, *others]}}
    strict = loop.parse(content | {"spec": spec}, "loop.yaml")
    path, work = tmp_path / "rows", order(rows)
    path.write_bytes(parquet.dump(rows.assign(device=None)))
    case = usecase.find("ads_ctr")
    object.__setattr__(case, "loop", strict)
    monkeypatch.setattr(usecase, "find", lambda name: case)
    store = FileStore(tmp_path / "store")
    paths = str(path), str(tmp_path / "valid")
    with pytest.raises(RunFailed, match="device is missing"):
        steps.validate("ads-ctr", store.uri, work.to_json(), *paths)
    left = outcome.read(store.get(outcome.key("ads-ctr", "ads-ctr-1")))
    assert (left.verdict, left.version, left.data_end) == ("failed", "", None)
    assert [one.rule for one in left.returned] == ["contract_broken"]
    assert "device is missing" in left.reasons[0]
    process = PipelineProcess(Path(__file__), tmp_path, {})
    assert process.train(work, store) == left  # What the controller is told on a laptop.


def test_another_source_is_no_source(rows: Any, ads: LearningLoop) -> None:
    with pytest.raises(InvalidInput, match="tape"):
        promises.check(rows, ads, order(rows, source="tape"))


def test_the_real_log_keeps_its_contract(ads: LearningLoop) -> None:
    shared = os.environ.get("DRIFTLOOP_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")
    files = sorted((Path(shared) / "google_adwords_daily").glob("*.[cp][sa][vr]*"))
    if not files:
        pytest.skip("The folder of real data has no google_adwords_daily.")
    asked = usecase.find("ads_ctr").read(Span(data=files[0])).requests
    rows = asked.rename(columns={"row_id": "prediction_id"}).assign(positives=0.0)
    found = promises.check(rows, ads, order(rows, source="daily_log"))
    assert found is not None
    assert (found.returned(), len(found.rejected)) == (None, 0)


def test_what_a_contract_sets_aside_counts_as_rejected(rows: Any, tmp_path: Path) -> None:
    """Of 1 % that may be bad, 2 % are by the contract alone: the columns know no such limit."""
    odd = rows.assign(device=rows["device"].mask(np.arange(len(rows)) % 50 == 0, "fridge"))
    path = tmp_path / "rows"
    path.write_bytes(parquet.dump(odd))
    paths = str(path), str(tmp_path / "valid")
    with pytest.raises(InvalidInput, match=r"bad rows .*2\.0%, mostly: device is none of its"):
        steps.validate("ads-ctr", str(tmp_path / "store"), order(rows).to_json(), *paths)


def test_rows_are_judged_by_the_contract_of_their_own_source(
    rows: Any, ads: LearningLoop, content: dict[str, Any]
) -> None:
    """The loop's first source promises devices, its second none."""
    odd, work = rows.assign(device="fridge"), order(rows)
    first = promises.check(odd, ads, work)
    second = promises.check(odd, ads, order(rows, source="daily_log"))
    assert first is not None
    assert second is not None
    assert (first.source, len(first.good)) == ("simulator", 0)
    assert (second.source, len(second.rejected)) == ("daily_log", 0)
    data = content["spec"]["data"] | {"trainingSource": "daily_log"}
    said = loop.parse(content | {"spec": content["spec"] | {"data": data}}, "loop.yaml")
    told = promises.check(odd, said, work)
    assert told is not None
    assert told.source == "daily_log"
    data["trainingSource"] = "tape"
    with pytest.raises(InvalidInput, match="trainingSource among"):
        loop.parse(content | {"spec": content["spec"] | {"data": data}}, "loop.yaml")
