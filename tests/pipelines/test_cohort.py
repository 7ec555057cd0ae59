"""The cohort's compiled pipeline and the job of a cluster, run on ten days of the simulator."""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn

from driftloop import parquet, usecase
from driftloop.archive import Archive
from driftloop.bundle import model_file, packing
from driftloop.cohorts import order as orders
from driftloop.cohorts.steps import Job
from driftloop.evaluation import gate
from driftloop.laptop.unfolding import Unfolding
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.services.controller import receiver
from driftloop.state import State
from driftloop.training import fit, steps
from driftloop.training.order import Order
from driftloop.usecase import Span, UseCase
from driftloop_contracts import bundle, event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.object_store import FileStore
from driftloop_contracts.signature import ANYONE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DAYS, DAY = 10, pd.Timedelta(days=1)


@dataclass(frozen=True)
class World:
    """A store with a champion and what it answered; ``end``: the midnight after the last day."""

    case: UseCase
    folder: Path
    champion: str
    end: pd.Timestamp
    hidden: str

    def order(self, *, shadow: bool = True) -> str:
        """Return what a controller tells: a second bundle stands in the shadow since the start."""
        since = (self.end - 8 * DAY).to_pydatetime()
        passed = Passed(version=self.hidden, retraining=2, data_end=since)
        rollout = Progress(passed=passed, stable=self.champion, since=since, shadow=True)
        state = State(champion=self.champion, rollout=rollout if shadow else None)
        spec = self.case.loop.model_dump(mode="json", by_alias=True)["spec"]
        return orders.of(state, spec).to_json()

    @property
    def until(self) -> str:
        return times.to_text(self.end.to_pydatetime())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    patch = pytest.MonkeyPatch()
    patch.setenv(usecase.FOLDER_VARIABLE, str(ROOT / "usecases"))
    folder = tmp_path_factory.mktemp("cohort")
    case, store = usecase.find("ads_ctr"), FileStore(folder / "store")
    end = _archived(case, Archive(store, case.loop.name))
    champion, joined = _trained(store, end, folder)
    _serve(case, store, champion, pd.read_parquet(joined), folder)
    yield World(case, folder / "store", champion, end, _again(case, store, champion, folder))
    patch.undo()


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    """The same with a store of the test's own."""
    shutil.copytree(made.folder, tmp_path / "store")
    return World(made.case, tmp_path / "store", made.champion, made.end, made.hidden)


def _archived(case: UseCase, archive: Archive) -> pd.Timestamp:
    """Archive ten days of the simulator, moved so that they end yesterday."""
    stream, today = case.read(Span(seed=1)), pd.Timestamp.now(tz="UTC").floor("D")
    first = today - DAYS * DAY
    later = first - stream.requests["event_time"].iloc[0].floor("D")
    for frame in (stream.requests, stream.outcomes):
        for name in frame.columns.intersection(["event_time", "known_time"]):
            frame[name] += later
    unfolding = Unfolding(stream)
    for day in pd.date_range(first, today, freq="D"):
        known = unfolding.advance(day).drop(columns="position")
        reports = known.rename(columns={"row_id": "prediction_id", "positives": "value"})
        label = case.loop.spec.objective.label
        archive.put("outcomes", f"{day:%Y-%m-%d}", reports.assign(label=label))
        asked = stream.requests.iloc[unfolding.between(day, day + DAY)]
        named = asked.rename(columns={"row_id": "prediction_id"})
        archive.put("requests", f"{day:%Y-%m-%d}", named)
        history = unfolding.labelled(first, day)
        if len(history):
            for view, rows in case.compute_features(history, day).items():
                archive.put_features(view, day.to_pydatetime(), rows)
    return day


def _trained(store: FileStore, end: pd.Timestamp, folder: Path) -> tuple[str, str]:
    at = {n: str(folder / n) for n in ("rows", "valid", "joined", "candidate", "release", "scored")}
    order, uri = Order("ads-ctr", 1, end.to_pydatetime()).to_json(), store.uri
    facts = steps.ingest("ads_ctr", uri, order, at["rows"])
    steps.validate("ads_ctr", uri, order, at["rows"], at["valid"])
    steps.build_features("ads_ctr", uri, order, at["valid"], at["joined"])
    facts |= steps.train("ads_ctr", order, at["joined"], at["candidate"], at["release"])
    models = {name: at[name] for name in ("candidate", "release")}
    facts |= steps.evaluate("ads_ctr", uri, order, at["joined"], models, facts, at["scored"])
    return steps.package("ads_ctr", uri, order, at, facts)["version"], at["joined"]


def _serve(
    case: UseCase, store: FileStore, version: str, joined: pd.DataFrame, folder: Path
) -> None:
    """Log what the champion would have answered, with the features that training joins."""
    bundle.fetch(store, "ads-ctr", version, folder / "champion", ANYONE)
    model = model_file.load(folder / "champion" / bundle.MODEL)
    predicted = fit.answers(case, model, joined).prediction
    logged = joined.drop(columns=["positives"]).assign(prediction=predicted, bundle_version=version)
    for day, part in logged.groupby(logged["event_time"].dt.floor("D")):
        key = f"inference/ads-ctr/date={day:%Y-%m-%d}/hour=00/part.parquet"
        store.put(key, parquet.dump(part.reset_index(drop=True)))


def _again(case: UseCase, store: FileStore, version: str, folder: Path) -> str:
    """Pack the champion's files as a second bundle: as good as the first, so no worse."""
    found = bundle.fetch(store, "ads-ctr", version, folder / "again", ANYONE)
    files = {name: (folder / "again" / name).read_bytes() for name in found.files}
    end = times.from_text("2026-01-01T00:00:00Z")
    return packing.write(store, "ads-ctr", 2, end, files=files, facts={"again": True}).version


@pytest.fixture
def inbox() -> Iterator[tuple[str, queue.Queue[CloudEvent], Callable[[], None]]]:
    """A receiver over HTTP: its address, what it took, and how to end it."""
    found: queue.Queue[CloudEvent] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(receiver.create_app(found), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()

        def end() -> None:
            server.should_exit = True
            thread.join(10)

        yield f"http://127.0.0.1:{listening.getsockname()[1]}/", found, end
        end()


def job(world: World, sink: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the job as its CronJob does."""
    (folder / "token").write_text("t")
    environ = os.environ | {
        "DRIFTLOOP_USECASE": "ads-ctr",
        "DRIFTLOOP_USECASES": str(ROOT / "usecases"),
        "DRIFTLOOP_STORE": str(world.folder),
        "DRIFTLOOP_ORDER": world.order(),
        "DRIFTLOOP_SINK": sink,
        "DRIFTLOOP_TOKEN_FILE": str(folder / "token"),
        "DRIFTLOOP_UNTIL": world.until,
    }
    command = [sys.executable, "-m", "driftloop.services.cohort"]
    return subprocess.run(command, env=environ | more, capture_output=True, text=True, timeout=120)


def run_pipeline(world: World, root: Path) -> dict[str, Any]:
    package = str(ROOT / "pipelines" / "compiled" / "cohort.yaml")
    given = {"loop": "ads_ctr", "store": str(world.folder), "until": world.until}
    parameters = json.dumps(given | {"order": world.order()})
    command = [sys.executable, "-m", "driftloop.adapters.local_pipeline", package, str(root)]
    environ = os.environ | {"DRIFTLOOP_USECASES": str(ROOT / "usecases")}
    done = subprocess.run(
        [*command, parameters], env=environ, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])["output"]


def test_the_compiled_pipeline_scores_what_became_mature_and_judges_once(
    world: World, tmp_path: Path
) -> None:
    found = run_pipeline(world, tmp_path / "kfp")
    kinds = [event["type"] for event in found["events"]]
    assert found["until"] == world.until
    assert kinds.count(event_types.SHADOW_JUDGED) == 1
    assert kinds.count(event_types.COHORT_SCORED) >= 5
    store = FileStore(world.folder)
    before = {key: store.get(key) for key in store.list("cohorts/")}
    scored = [json.loads(content) for key, content in before.items() if "/scored/" in key]
    told = [event["data"] for event in scored if event]
    assert all(one["outcomes"]["bundle"] == world.champion for one in told)
    log = pd.concat(parquet.load(store.get(key)) for key in store.list("inference/"))
    assert 0 < sum(one["rows"] for one in told) <= len(log)
    (verdict,) = [json.loads(content) for key, content in before.items() if "/shadow/" in key]
    assert (verdict["data"]["verdict"], verdict["data"]["version"]) == ("promote", world.hidden)
    assert run_pipeline(world, tmp_path / "kfp")["events"] == []
    assert {key: store.get(key) for key in store.list("cohorts/")} == before


@pytest.mark.parametrize(("cause", "asked"), [("", "shadow"), ("manual+changed", "manual+changed")])
def test_what_the_gate_held_is_asked_what_its_retraining_asked(
    world: World, cause: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = (world.end - 8 * DAY).to_pydatetime()
    passed = Passed(version=world.hidden, retraining=2, data_end=since, cause=cause)
    again = Progress(passed=passed, stable=world.champion, since=since, shadow=True, requests=900)
    causes, judge = [], gate.judge
    monkeypatch.setattr(gate, "judge", lambda *a: causes.append(a[2]) or judge(*a))
    work = orders.of(State(champion=world.champion, again=again))
    found = Job(world.case, FileStore(world.folder), work, world.end.to_pydatetime()).run()
    (event,) = [one for one in found if one.type == event_types.SHADOW_JUDGED]
    assert event.data["verdict"] == "promote", "the same model is as good"
    assert causes == [asked]


def test_every_record_is_in_one_cohort_whenever_jobs_ran(world: World) -> None:
    """One job for all days says what jobs at odd times say together."""
    work, rng = orders.parse(world.order(shadow=False)), np.random.default_rng(3)
    case, end = world.case, world.end.to_pydatetime()
    other = world.folder.parent / "other"
    shutil.copytree(world.folder, other)
    at_once = Job(case, FileStore(world.folder), work, end).run()
    in_parts: list[CloudEvent] = []
    moment = end - timedelta(days=DAYS)
    while moment < end:
        moment = min(moment + timedelta(hours=float(rng.uniform(5, 60))), end)
        in_parts += Job(case, FileStore(other), work, moment).run()
    assert {event.id for event in in_parts} >= {event.id for event in at_once}
    same = {event.id: event.data for event in in_parts}
    assert [same[event.id] for event in at_once] == [event.data for event in at_once]


def test_the_job_tells_the_receiver_once_and_again_after_it_was_away(
    world: World, inbox: Any, tmp_path: Path
) -> None:
    sink, found, _ = inbox
    refused = job(world, sink, tmp_path, DRIFTLOOP_TOKEN_FILE="/absent")
    assert refused.returncode == 2
    assert "DRIFTLOOP_TOKEN_FILE in the environment must be" in refused.stderr
    assert found.empty()
    assert job(world, sink, tmp_path).returncode == 0
    told = [found.get_nowait() for _ in range(found.qsize())]
    assert [event.type for event in told].count(event_types.SHADOW_JUDGED) == 1
    assert [event.time for event in told] == sorted(event.time for event in told)
    assert {event.source for event in told} == {"/driftloop/ads-ctr/cohort"}
    assert job(world, sink, tmp_path).returncode == 0
    assert found.empty()


def test_a_bundle_that_does_not_verify_stops_the_scoring_and_nothing_else(
    world: World, inbox: Any, tmp_path: Path
) -> None:
    sink, found, _ = inbox
    store = FileStore(world.folder)
    time = times.from_text(world.until)
    decided = CloudEvent("review/x", "/driftloop/ads-ctr/review", event_types.REVIEWED, time, {})
    store.put("reviews/ads-ctr/2026-01-01/event.json", decided.to_json())
    store.put(bundle.key("ads-ctr", world.champion, bundle.MODEL), b"other")
    done = job(world, sink, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert [found.get_nowait().id for _ in range(found.qsize())] == ["review/x"]
    assert store.list("cohorts/ads-ctr/scored/") == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DRIFTLOOP_ORDER", "{", "in the order of a cohort job must be"),
        ("DRIFTLOOP_UNTIL", "noon", "until in the pipeline's parameters must be"),
        ("DRIFTLOOP_SINK", "file:///etc/passwd", "DRIFTLOOP_SINK in the environment must be"),
        ("DRIFTLOOP_USECASE", "", "DRIFTLOOP_USECASE in the environment must be set"),
        ("DRIFTLOOP_TRUSTED_KEYS", "none", "DRIFTLOOP_TRUSTED_KEYS in the environment must be"),
    ],
)
def test_a_setting_that_makes_no_sense_is_one_sentence(
    world: World, inbox: Any, tmp_path: Path, name: str, value: str, says: str
) -> None:
    done = job(world, inbox[0], tmp_path, **{name: value})
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
