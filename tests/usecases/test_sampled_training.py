"""The pipeline's steps on a loop that fits on a sample of the negatives and has contracts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from driftloop import usecase
from driftloop.archive import Archive
from driftloop.bundle import model_file
from driftloop.laptop.unfolding import Unfolding
from driftloop.training import fit, outcome, steps
from driftloop.training.corrected import Corrected
from driftloop.training.order import Order
from driftloop.usecase import Span
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[2]
DAYS = 10
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What every step told of ten days of the simulator, with its files."""
    patch = pytest.MonkeyPatch()
    patch.setenv(usecase.FOLDER_VARIABLE, str(ROOT / "usecases"))
    folder = tmp_path_factory.mktemp("steps")
    case, store = usecase.find("ads_ctr"), str(folder / "store")
    spec = case.loop.model_dump(mode="json", by_alias=True)["spec"]
    spec["training"]["imbalance"] = {"negatives": "2 per positive", "correction": "shift"}
    end = _archived(case, Archive(FileStore(folder / "store"), case.loop.name))
    order = Order("ads-ctr", 1, end.to_pydatetime(), spec=spec).to_json()
    at = {n: str(folder / n) for n in ("rows", "valid", "joined", "candidate", "release", "scored")}
    told: dict[str, Any] = {"ingest": steps.ingest("ads_ctr", store, order, at["rows"])}
    told["validate"] = steps.validate("ads_ctr", store, order, at["rows"], at["valid"])
    steps.build_features("ads_ctr", store, order, at["valid"], at["joined"])
    told["train"] = steps.train("ads_ctr", order, at["joined"], at["candidate"], at["release"])
    models = {name: at[name] for name in ("candidate", "release")}
    told["evaluate"] = steps.evaluate(
        "ads_ctr", store, order, at["joined"], models, told["train"], at["scored"]
    )
    facts = told["train"] | told["evaluate"]
    bundle = steps.package("ads_ctr", store, order, at, facts)
    told["verdict"] = steps.gate("ads_ctr", store, order, at["scored"], bundle)
    told["record"] = json.loads(
        (folder / "store" / outcome.key("ads-ctr", "ads-ctr-1")).read_text()
    )
    patch.undo()
    return told | {"files": at, "case": case}


def _archived(case: Any, archive: Archive) -> pd.Timestamp:
    stream = case.read(Span(seed=1))
    first, unfolding = stream.requests["event_time"].iloc[0].floor("D"), Unfolding(stream)
    for day in pd.date_range(first, periods=DAYS, freq="D"):
        known = unfolding.advance(day)
        reports = known.rename(columns={"row_id": "prediction_id", "positives": "value"})
        label = case.loop.spec.objective.label
        archive.put(
            "outcomes", f"{day:%Y-%m-%d}", reports.drop(columns="position").assign(label=label)
        )
        asked = stream.requests.iloc[unfolding.between(day, day + DAY)]
        named = asked.rename(columns={"row_id": "prediction_id"})
        archive.put("requests", f"{day:%Y-%m-%d}", named)
        history = unfolding.labelled(first, day)
        for view, rows in case.compute_features(history, day).items() if len(history) else ():
            archive.put_features(view, day, rows)
    return day


def test_the_stored_model_predicts_the_rate_of_all_rows(ran: dict[str, Any]) -> None:
    model = model_file.load(Path(ran["files"]["candidate"]))
    scored = pd.read_parquet(ran["files"]["scored"])
    assert isinstance(model, Corrected)
    assert model.shift < -1
    assert (fit.predict(ran["case"], model, scored) == scored["probability"]).all()
    rate = scored["positives"].sum() / scored["weight"].sum()
    assert scored["probability"].mean() == pytest.approx(rate, rel=0.15)


def test_the_gate_sees_corrected_probabilities(ran: dict[str, Any]) -> None:
    metrics = ran["evaluate"]["metrics"]
    assert metrics["candidate_loss"] < metrics["base_entropy"]
    assert ran["verdict"] == "promote"


def test_the_contract_and_the_warnings_are_told(ran: dict[str, Any]) -> None:
    found = ran["validate"]["contract"]
    assert found["source"] == "simulator"
    assert found["returned"] == []
    assert {one["rule"] for one in found["findings"]} >= {"bad_rows", "missing", "volume"}
    assert ran["record"]["warnings"] == []
    assert "returned" not in ran["record"]
