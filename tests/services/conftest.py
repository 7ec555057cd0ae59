"""A real predictor process on a real small bundle."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from driftloop import parquet, usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.archive import Archive
from driftloop.bundle import model_file, packing
from driftloop.drift import calibration
from driftloop.laptop import environment
from driftloop.laptop.children import Child
from driftloop.laptop.unfolding import Unfolding
from driftloop.training import fit
from driftloop.usecase import Span, UseCase
from driftloop_contracts import bundle as contract
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[2]
DAYS = 8


@dataclass(frozen=True)
class World:
    """A loop's store, feature store and one bundle in it, with the rows it was made from.

    ``now``: when the features that it serves were computed.
    """

    case: UseCase
    folder: Path
    version: str
    rows: pd.DataFrame
    environ: dict[str, str]
    now: datetime


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    case = usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
    folder = tmp_path_factory.mktemp("world")
    store = FileStore(folder / "store")
    rows, now = _joined(case, folder, Archive(store, case.loop.name))
    model = fit.fit(case, "logistic", rows)
    reference, baseline = calibration.build(rows, case.loop, None, np.random.default_rng(0))
    files = {
        contract.MODEL: model_file.dump(model),
        contract.REFERENCE: parquet.dump(reference),
        contract.BASELINE: baseline.to_json(),
    }
    data_end = rows["event_time"].max().to_pydatetime()
    manifest = packing.write(store, case.loop.name, 1, data_end, files=files, facts={})
    environ = environment.for_children(case, store.uri, os.environ)
    return World(case, folder, manifest.version, rows, environ, now)


def _joined(case: UseCase, folder: Path, archive: Archive) -> tuple[pd.DataFrame, datetime]:
    stream = case.read(Span(seed=1))
    first = stream.requests["event_time"].iloc[0].floor("D")
    unfolding = Unfolding(stream)
    days = pd.date_range(first, periods=DAYS, freq="D")
    for day in days:
        unfolding.advance(day)
        history = unfolding.labelled(first, day)
        if len(history):
            for view, rows in case.compute_features(history, day).items():
                archive.put_features(view, day, rows)
    repository = FeatureRepository(case, folder / "feast")
    repository.apply(archive.feature_folder(folder))
    now = days[-1].to_pydatetime()
    repository.materialize(None, now)
    return repository.historical(unfolding.labelled(first, days[-1])), now


@pytest.fixture(scope="session")
def start(world: World) -> Iterator[Callable[..., Child]]:
    """Start a predictor with these settings; every one is ended with the session."""
    started: list[Child] = []

    def begin(sidecar: str = "", **settings: str) -> Child:
        number = len(started)
        environ = world.environ | {
            "DRIFTLOOP_FEAST": str(world.folder / "feast"),
            "DRIFTLOOP_SCRATCH": str(world.folder / f"scratch-{number}"),
            "DRIFTLOOP_BUNDLE": world.version,
            "DRIFTLOOP_SIDECAR": sidecar,
            **settings,
        }
        command = [sys.executable, "-m", "driftloop.services.predictor"]
        child = Child("predictor", command, environ, world.folder / f"predictor-{number}.log")
        started.append(child)
        return child

    yield begin
    for child in started:
        child.stop()


@pytest.fixture(scope="session")
def predictor(start: Callable[..., Child]) -> str:
    return start(DRIFTLOOP_EVENT_TIME="1").wait_ready(120)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[str]:
    environ = {**os.environ, "DRIFTLOOP_ADMIN_TOKEN": "t", "DRIFTLOOP_SUPERVISED": "1"}
    environ |= {"DRIFTLOOP_ENTITY": "query_id"}
    command = [sys.executable, "-m", "driftloop.services.router"]
    child = Child("router", command, environ, tmp_path / "router.log")
    yield child.wait_ready(60)
    child.stop()
