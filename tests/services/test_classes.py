"""A loop of classes that reads texts: trained by the pipeline's steps, served by a real process."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backends import backend

from driftloop import usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.archive import Archive
from driftloop.bundle import model_file
from driftloop.laptop import environment
from driftloop.laptop.children import Child
from driftloop.laptop.unfolding import Unfolding
from driftloop.training import fit, outcome, steps
from driftloop.usecase import Span, UseCase
from driftloop_contracts import baseline, text, times
from driftloop_contracts import bundle as contract
from driftloop_contracts.object_store import FileStore

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "classes" / "usecases"
DAYS, FIRST = 14, 9
ROW = {"requester_id": 5, "message": "Hello, my laptop shows no network", "channel": "mail"}


@dataclass(frozen=True)
class World:
    """A loop that was trained twice: what its store holds, and the rows of the last training."""

    case: UseCase
    folder: Path
    store: FileStore
    versions: list[str]
    verdicts: list[dict[str, Any]]
    joined: pd.DataFrame
    environ: dict[str, str]

    def bundle(self, name: str, version: int = -1) -> bytes:
        return self.store.get(contract.key("tickets", self.versions[version], name))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tickets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(usecase.FOLDER_VARIABLE, str(FOLDER))
        case = usecase.find("tickets")
        store = FileStore(folder / "store")
        days = _archived(case, Archive(store, case.loop.name))
        versions, verdicts = [], []
        for number, day in enumerate((days[FIRST], days[-1]), 1):
            order = {"number": number, "cutoff": times.to_text(day.to_pydatetime())}
            order |= {"champion": versions[-1] if versions else "", "cause": "staleness"}
            version, joined = _trained(store.uri, json.dumps(order), folder / str(number))
            versions.append(version)
            record = store.get(outcome.key("tickets", f"tickets-{number}"))
            verdicts.append(json.loads(record))
        repository = FeatureRepository(case, folder / "feast")
        repository.apply(Archive(store, case.loop.name).feature_folder(folder))
        repository.materialize(None, days[-1].to_pydatetime())
        environ = environment.for_children(case, store.uri, os.environ)
        yield World(case, folder, store, versions, verdicts, joined, environ)


def _archived(case: UseCase, archive: Archive) -> list[pd.Timestamp]:
    """Archive requests, outcomes and feature rows as each day would have."""
    stream = case.read(Span(seed=2))
    first = stream.requests["event_time"].iloc[0].floor("D")
    unfolding, days = Unfolding(stream), list(pd.date_range(first, periods=DAYS, freq="D"))
    for day in days:
        fresh = unfolding.advance(day)
        named = fresh.rename(columns={"row_id": "prediction_id", "positives": "value"})
        if len(named):
            archive.put("outcomes", f"{day:%Y-%m-%d}", named.assign(label="handled_by"))
            rows = case.compute_features(unfolding.labelled(first, day), day)
            archive.put_features("requester_stats", day, rows["requester_stats"])
        asked = stream.requests.iloc[unfolding.between(day, day + pd.Timedelta(days=1))]
        requests = asked.rename(columns={"row_id": "prediction_id"})
        archive.put("requests", f"{day:%Y-%m-%d}", requests)
    return days


def _trained(store: str, order: str, folder: Path) -> tuple[str, pd.DataFrame]:
    """Go through the pipeline's steps as its components do."""
    folder.mkdir()
    at = {
        name: str(folder / name) for name in ("rows", "valid", "joined", "scored", "model", "new")
    }
    steps.ingest("tickets", store, order, at["rows"])
    steps.validate("tickets", store, order, at["rows"], at["valid"])
    steps.build_features("tickets", store, order, at["valid"], at["joined"])
    facts = steps.train("tickets", order, at["joined"], at["model"], at["new"])
    models = {"candidate": at["model"], "release": at["new"]}
    facts |= steps.evaluate("tickets", store, order, at["joined"], models, facts, at["scored"])
    paths = {"joined": at["joined"], "release": at["new"], "scored": at["scored"]}
    packed = steps.package("tickets", store, order, paths, facts)
    steps.gate("tickets", store, order, at["scored"], packed)
    return packed["version"], pd.read_parquet(at["joined"])


@pytest.fixture(scope="module")
def start(world: World) -> Iterator[Callable[..., str]]:
    children: list[Child] = []

    def begin(sidecar: str = "") -> str:
        number = len(children)
        environ = world.environ | {
            "DRIFTLOOP_FEAST": str(world.folder / "feast"),
            "DRIFTLOOP_SCRATCH": str(world.folder / f"scratch-{number}"),
            "DRIFTLOOP_BUNDLE": world.versions[-1],
            "DRIFTLOOP_SIDECAR": sidecar,
        }
        command = [sys.executable, "-m", "driftloop.services.predictor"]
        child = Child("predictor", command, environ, world.folder / f"predictor-{number}.log")
        children.append(child)
        return child.wait_ready(120)

    yield begin
    for child in children:
        child.stop()


@pytest.fixture(scope="module")
def predictor(start: Callable[..., str]) -> str:
    return start()


def v1(predictor: str, *rows: dict[str, Any]) -> httpx.Response:
    url = f"{predictor}/v1/models/tickets:predict"
    return httpx.post(url, json={"instances": list(rows)}, timeout=30)


def test_the_gate_judged_the_second_bundle_against_the_first(world: World) -> None:
    first, second = world.verdicts
    assert first["verdict"] == "promote"
    assert second["difference"] is not None
    assert 0.5 < second["predicted"] < 2
    classes = world.case.loop.spec.objective.classes
    slices = {f"category = {name}" for name in classes}
    assert {one["name"] for one in second["slices"]} <= slices
    assert second["slices"]
    assert second["losses"]["candidate"][1] < second["losses"]["trivial"][1] / 2


def test_the_bundle_says_how_each_class_does(world: World) -> None:
    facts = json.loads(world.bundle(contract.MANIFEST))["facts"]
    told = facts["by_class"]
    low, value, high = told["macro_f1"]
    assert 0.8 < low < value < high <= 1
    assert facts["classes"] == told["classes"] == list(world.case.loop.spec.objective.classes)
    assert facts["metrics"]["base_entropy"] == pytest.approx(np.log(3), abs=0.05)


def test_the_baseline_watches_what_is_derived_and_never_a_text(world: World) -> None:
    known = baseline.from_json(world.bundle(contract.BASELINE))
    tested = {feature.name: feature for feature in known.features}
    assert dict(known.unmonitored) == {"message": "categorical", "it_share_7d": "numeric"}
    assert {*text.names("message"), "channel", "predicted_class"} == {*tested}
    assert {*tested["predicted_class"].categories} == {"hr", "accounting", "it"}
    reference = pq.read_table(io.BytesIO(world.bundle(contract.REFERENCE)))
    assert {*reference.column_names} == {*tested}


def test_v1_answers_with_the_class_its_probability_and_who_decides(
    predictor: str, world: World
) -> None:
    answer = v1(predictor, ROW, ROW | {"message": "parental leave and my payslip"},
                ROW | {"message": None}).json()  # fmt: skip
    names = world.case.loop.spec.objective.classes
    assert answer["classes"][:2] == ["it", "hr"]
    for row, chosen, confidence in zip(
        answer["probabilities"], answer["classes"], answer["predictions"], strict=True
    ):
        assert sum(row) == pytest.approx(1)
        assert row[names.index(chosen)] == max(row) == confidence
    costs = world.case.loop.spec.charter.costs
    assert answer["decided"] == [(1 - p) * 20 < 4 for p in answer["predictions"]]
    assert costs is not None
    assert answer["decided"][2] is False, "nobody can tell what an empty ticket is about"


def test_v2_answers_as_v1_does(predictor: str) -> None:
    rows = [ROW, ROW | {"message": "the invoice and a refund"}]
    kinds = {int: "INT64", str: "BYTES"}
    inputs = [
        {
            "name": name,
            "shape": [2],
            "datatype": kinds[type(value)],
            "data": [r[name] for r in rows],
        }
        for name, value in ROW.items()
    ]
    url = f"{predictor}/v2/models/tickets/infer"
    content = httpx.post(url, json={"inputs": inputs}, timeout=30).json()
    outputs = {output["name"]: output for output in content["outputs"]}
    same = v1(predictor, *rows).json()
    assert outputs["prediction"]["data"] == same["predictions"]
    assert (outputs["class"]["datatype"], outputs["class"]["data"]) == ("BYTES", same["classes"])
    assert outputs["probabilities"]["shape"] == [2, 3]
    assert outputs["probabilities"]["data"] == [p for row in same["probabilities"] for p in row]
    assert outputs["decided"]["data"] == same["decided"]


def test_what_is_served_is_what_the_model_says_in_training(predictor: str, world: World) -> None:
    rows = world.joined.tail(40)
    path = world.folder / "again.skops"
    path.write_bytes(world.bundle(contract.MODEL))
    columns = ["requester_id", "message", "channel"]
    asked = rows[columns].astype(object).where(rows[columns].notna(), None).to_dict("records")
    answer = v1(predictor, *asked).json()
    # The online store has the newest share of each requester; training had that of the time.
    model, repository = model_file.load(path), FeatureRepository(world.case, world.folder / "feast")
    served = repository.online(rows[columns], pd.Timestamp.now(tz="UTC").to_pydatetime())
    expected = fit.answers(world.case, model, served.rows)
    assert answer["classes"] == expected.chosen.tolist()
    assert answer["predictions"] == expected.prediction.tolist()


@pytest.mark.parametrize("odd", [4, ["a"], {}])
def test_what_is_no_text_is_a_400_with_a_sentence(predictor: str, odd: Any) -> None:
    answer = v1(predictor, ROW | {"message": odd})
    assert answer.status_code == 400
    assert "column 'message' in the request must be strings or null" in answer.text


def test_a_very_long_text_is_answered_and_counted(predictor: str) -> None:
    before = httpx.get(f"{predictor}/metrics").text
    answer = v1(predictor, ROW | {"message": "printer " * 10_000})
    assert answer.json()["classes"] == ["it"]
    after = httpx.get(f"{predictor}/metrics").text
    line = 'driftloop_texts_at_bound_total{column="message"}'
    assert _value(after, line) == _value(before, line) + 1


def _value(page: str, name: str) -> float:
    return next((float(one.split()[-1]) for one in page.splitlines() if one.startswith(name)), 0.0)


def test_a_record_has_what_the_baseline_names(start: Callable[..., str], world: World) -> None:
    with backend("sidecar") as (url, seen):
        predictor = start(sidecar=url)
        answer = v1(predictor, ROW).json()
        deadline = time.monotonic() + 20
        while not seen and time.monotonic() < deadline:
            time.sleep(0.05)
    (row,) = pa.ipc.open_stream(seen[0]["body"]).read_all().to_pylist()
    features = row["features"]
    known = baseline.from_json(world.bundle(contract.BASELINE))
    assert {*features} == {*known.kinds}
    assert features["predicted_class"] == answer["classes"][0]
    assert row["prediction"] == answer["predictions"][0]
    words = text.from_json(world.bundle(contract.VOCABULARY))["message"]
    derived = dict(zip(text.names("message"), text.derived(ROW["message"], words), strict=True))
    assert {name: features[name] for name in derived} == derived
    assert features["message"] == ROW["message"]


def test_one_row_is_answered_in_a_few_milliseconds(world: World) -> None:
    assert world.verdicts[-1]["cost"]["latency_ms"] < 10
