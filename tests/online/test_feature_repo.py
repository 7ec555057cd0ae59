"""Feast's own commands work in feature_repo/, with a use case's definitions, on both settings."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from feast import FeatureStore

from driftloop import usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.training import steps
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import open_store

ROOT = Path(__file__).parents[2]
CASE = usecase.find("ads_ctr")
DAY = pd.Timestamp("2026-03-01", tz="UTC")
SPAN = "2026-02-27T00:00:00", "2026-03-02T00:00:00"
LATER = "2026-03-03T00:00:00"
PROJECT = "ads_ctr"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An object store with a day's feature rows of two entities in each view."""
    for view in CASE.loop.spec.features.views:
        objects = {found.name: found for found in CASE.registered("")}
        key, *features = sorted(
            (field.name for field in objects[view].schema), key=lambda name: "ctr" in name
        )
        times = pd.Series([DAY] * 2, dtype="datetime64[us, UTC]")
        rows = pd.DataFrame({key: [1, 2], **dict.fromkeys(features, [0.25, 0.5])})
        path = tmp_path / "store" / "features" / CASE.loop.name / view / "2026-03-01.parquet"
        path.parent.mkdir(parents=True)
        rows.assign(event_timestamp=times, created_timestamp=times).to_parquet(path)
    return tmp_path / "store"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    skipped = shutil.ignore_patterns("data", "__pycache__")
    return Path(shutil.copytree(ROOT / "feature_repo", tmp_path / "repo", ignore=skipped))


@pytest.fixture(params=["feature_store.yaml", "feature_store.cluster.yaml"])
def settings(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def environ(
    settings: str, archive: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    found = {
        "DRIFTLOOP_USECASE": PROJECT,
        "DRIFTLOOP_USECASES": str(ROOT / "usecases"),
        "DRIFTLOOP_STORE": str(archive),
    }
    if "cluster" in settings:
        found["DRIFTLOOP_REGISTRY"] = request.getfixturevalue("empty_postgres")
        found["DRIFTLOOP_ONLINE_STORE"] = f"{request.getfixturevalue('redis_address')}/3"
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def feast(folder: Path, settings: str, *command: str) -> str:
    program = Path(sys.executable).with_name("feast")
    done = subprocess.run(
        [program, "-f", settings, *command], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Could not" not in done.stderr
    return done.stdout


def looked_up(folder: Path, settings: str) -> dict[str, list[float]]:
    store = FeatureStore(repo_path=str(folder), fs_yaml_file=folder / settings)
    service = store.get_feature_service(CASE.loop.spec.features.service)
    found = store.get_online_features(service, [{"query_id": 2, "ad_id": 1}]).to_dict()
    return {name: found[name] for name in ("query_ctr_3d", "ad_ctr_14d")}


@pytest.mark.slow
@pytest.mark.usefixtures("environ")
def test_definitions_are_planned_applied_and_materialized(folder: Path, settings: str) -> None:
    assert "Created feature view query_stats" in feast(folder, settings, "plan")
    feast(folder, settings, "apply")
    feast(folder, settings, "materialize", *SPAN)
    feast(folder, settings, "apply")  # what was materialized is still known
    printed = feast(folder, settings, "materialize-incremental", LATER)
    assert "2026-03-02" in printed
    assert "2026-03-03" in printed
    described = yaml.safe_load(feast(folder, settings, "feature-views", "describe", "ad_stats"))
    ends = [span["endTime"] for span in described["meta"]["materializationIntervals"]]
    assert ends == ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"]
    assert looked_up(folder, settings) == {"query_ctr_3d": [0.5], "ad_ctr_14d": [0.25]}


@pytest.mark.slow
@pytest.mark.parametrize("settings", ["feature_store.cluster.yaml"])
def test_feast_goes_on_where_the_pipeline_ended(
    folder: Path, settings: str, environ: dict[str, str]
) -> None:
    for _ in range(2):
        steps.materialize(PROJECT, "", f"{SPAN[1]}Z")
    store = FeatureStore(repo_path=str(folder), fs_yaml_file=folder / settings)
    view = store.get_feature_view("ad_stats")
    assert [end.isoformat() for _, end in view.materialization_intervals] == [f"{SPAN[1]}+00:00"]
    assert view.batch_source.path == f"{environ['DRIFTLOOP_STORE']}/features/ads-ctr/ad_stats"
    assert looked_up(folder, settings) == {"query_ctr_3d": [0.5], "ad_ctr_14d": [0.25]}
    feast(folder, settings, "apply")
    printed = feast(folder, settings, "materialize-incremental", LATER)
    assert "from \x1b[1m\x1b[32m2026-03-02" in printed


@pytest.mark.parametrize("settings", ["feature_store.cluster.yaml"])
def test_a_step_goes_by_its_own_definitions_whatever_others_register(
    settings: str, environ: dict[str, str], archive: Path, tmp_path: Path
) -> None:
    offline = archive / "features" / CASE.loop.name
    repository = FeatureRepository(CASE, tmp_path / "step", "", environ["DRIFTLOOP_REGISTRY"])
    repository.apply(offline, f"{open_store(str(archive)).uri}/features/{CASE.loop.name}")
    FeatureRepository(CASE, tmp_path / "other", "", environ["DRIFTLOOP_REGISTRY"]).apply(
        tmp_path / "elsewhere"
    )
    asked = pd.DataFrame({"query_id": [2], "ad_id": [1], "event_time": [DAY]})
    assert repository.historical(asked)["ad_ctr_14d"].tolist() == [0.25]


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("settings", ["feature_store.yaml"])
@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("DRIFTLOOP_USECASE", "ads-ctr", "'ads_ctr'"),
        ("DRIFTLOOP_USECASE", "none", "one of"),
        ("DRIFTLOOP_STORE", "", "a path or s3://bucket/prefix"),
    ],
)
def test_a_wrong_setting_is_named(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=allowed):
        runpy.run_path(str(ROOT / "feature_repo" / "definitions.py"))
