"""Checks that every discovered use case must pass; ids read ``ads_ctr-check_trains``.

Discovery is ``usecases/`` here, or the folder that DRIFTLOOP_USECASES names, and what is installed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from driftloop import traffic, usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.archive import Archive
from driftloop.bundle import model_file
from driftloop.laptop.unfolding import Unfolding
from driftloop.scaffold import writing
from driftloop.training import fit
from driftloop.usecase import Span, UseCase
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[2]
FOUND_IN = os.environ.get(usecase.FOLDER_VARIABLE, str(ROOT / "usecases"))
CASES = usecase.folders({usecase.FOLDER_VARIABLE: FOUND_IN})
TICKETS = ROOT / "tests" / "classes" / "usecases"
THIRD = ROOT / "tests" / "third" / "usecases"
NEW = "made-by-new"
FILES = ["loop.yaml", "data.py", "features.py", "labels.py", "model.py", "README.md"]


def check_files(case: UseCase, tmp_path: Path) -> None:
    assert [name for name in FILES if not (case.folder / name).is_file()] == []


def check_traffic(case: UseCase, tmp_path: Path) -> None:
    stream = case.read(Span(seed=3))
    requests, outcomes = stream.requests, stream.outcomes
    features = case.loop.spec.features
    wanted = {*traffic.REQUEST_COLUMNS, *features.entities, *features.names(origin="request")}
    assert wanted <= set(requests)
    assert set(traffic.OUTCOME_COLUMNS) <= set(outcomes)
    assert requests["event_time"].is_monotonic_increasing
    assert requests["row_id"].is_unique
    asked = requests.set_index("row_id")
    assert (outcomes["known_time"] > outcomes["event_time"]).all()
    assert (outcomes["positives"] <= asked["weight"].loc[outcomes["row_id"]].to_numpy()).all()
    if classes := case.loop.spec.objective.classes:
        assert {*outcomes["category"]} <= {*classes}


def check_seed_decides(case: UseCase, tmp_path: Path) -> None:
    first, again, other = (case.read(Span(seed=s)).requests for s in (5, 5, 6))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def check_trains_and_round_trips(case: UseCase, tmp_path: Path) -> None:
    rows = _joined(case, tmp_path)
    for name in case.loop.spec.training.estimators:
        model = fit.fit(case, name, rows)
        path = tmp_path / f"{name}.skops"
        path.write_bytes(model_file.dump(model))
        before, after = (fit.predict(case, m, rows) for m in (model, model_file.load(path)))
        assert (before == after).all()
        assert ((before > 0) & (before < 1)).all()


def check_online_equals_offline(case: UseCase, tmp_path: Path) -> None:
    """What serving looks up is what training joined, for the rows of the newest midnight."""
    rows = _joined(case, tmp_path)
    repository = FeatureRepository(case, tmp_path / "feast")
    now = rows["event_time"].max()
    repository.materialize((now - pd.Timedelta(days=2)).to_pydatetime(), now.to_pydatetime())
    newest = rows[rows["event_time"] == now]
    names = [column.name for column in repository.columns]
    asked = newest.drop(columns=names)
    served = repository.online(asked, now.to_pydatetime())
    pd.testing.assert_frame_equal(served.rows[names], newest[names])


def check_no_number_breaks_a_model(case: UseCase, tmp_path: Path) -> None:
    """Whatever a view holds, a model is fitted and predicts."""
    rows = _joined(case, tmp_path)
    numeric = [c.name for c in case.loop.spec.features.columns if c.kind == "numeric"]
    for place, odd in enumerate((float("inf"), float("-inf"), float("nan"), 1e308, -1e308)):
        rows.loc[rows.index[place], numeric] = odd
    for name in case.loop.spec.training.estimators:
        found = fit.predict(case, fit.fit(case, name, rows), rows)
        assert ((found > 0) & (found < 1)).all()


CHECKS = [
    check_files,
    check_traffic,
    check_seed_decides,
    check_trains_and_round_trips,
    check_online_equals_offline,
    check_no_number_breaks_a_model,
]


def _joined(case: UseCase, folder: Path) -> pd.DataFrame:
    """Return a few days of labelled rows with point-in-time features, two rows at midnight."""
    stream = case.read(Span(seed=1))
    first = stream.requests["event_time"].iloc[0].floor("D")
    unfolding = Unfolding(stream)
    archive = Archive(FileStore(folder / "store"), case.loop.name)
    for day in pd.date_range(first, periods=8, freq="D"):
        unfolding.advance(day)
        history = unfolding.labelled(first, day)
        if len(history):
            for view, rows in case.compute_features(history, day).items():
                archive.put_features(view, day, rows)
    repository = FeatureRepository(case, folder / "feast")
    repository.apply(archive.feature_folder(folder))
    rows = unfolding.labelled(first, day)
    midnight = rows.tail(2).assign(event_time=day, row_id=lambda f: f["row_id"] + "/midnight")
    return repository.historical(pd.concat([rows, midnight], ignore_index=True))


@pytest.fixture(scope="session")
def scaffolded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `driftloop new` writes, as it is."""
    root = tmp_path_factory.mktemp("usecases")
    writing.write(NEW, root)
    return root


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_new_writes_conforms(scaffolded: Path, check, tmp_path: Path) -> None:
    check(usecase.find(NEW, {usecase.FOLDER_VARIABLE: str(scaffolded)}), tmp_path)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_one_of_classes_and_texts_conforms(check, tmp_path: Path) -> None:
    check(usecase.find("tickets", {usecase.FOLDER_VARIABLE: str(TICKETS)}), tmp_path)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_third_one_conforms(check, tmp_path: Path) -> None:
    check(usecase.find("mail_digits", {usecase.FOLDER_VARIABLE: str(THIRD)}), tmp_path)


def test_use_cases_are_found() -> None:
    assert CASES
    own = usecase.folders({usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
    assert "ads_ctr" in own


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CASES)
def test_conformance(name: str, check, tmp_path: Path) -> None:
    check(usecase.find(name, {usecase.FOLDER_VARIABLE: FOUND_IN}), tmp_path)
