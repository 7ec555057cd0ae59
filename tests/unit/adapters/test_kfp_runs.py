"""Runs of one name on a server that lets two of them happen."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from kfp_server_api.exceptions import ApiException

from driftloop.adapters.kfp_runs import KfpRuns, with_image
from driftloop.adapters.unavailable import Unavailable

PACKAGE = {"deploymentSpec": {"executors": {"exec-a": {"container": {"image": "old"}}}}}


class Client:
    """KFP's client as far as it is used; ``rival`` is created just before each new run."""

    def __init__(self, rival: bool = False) -> None:
        self.stored: dict[str, Any] = {}
        self.rival, self.asked = rival, []

    def _add(self, name: str) -> Any:
        run_id = f"run-{len(self.stored)}"
        self.stored[run_id] = SimpleNamespace(
            run_id=run_id, display_name=name, state="RUNNING", error=None
        )
        return self.stored[run_id]

    def create_experiment(self, name: str, namespace: str | None) -> Any:
        return SimpleNamespace(experiment_id="1")

    def run_pipeline(self, experiment: str, name: str, **asked: Any) -> Any:
        if self.rival:
            self._add(name)
        self.asked.append(asked | {"package": Path(asked["pipeline_package_path"]).read_text()})
        return self._add(name)

    def list_runs(self, **asked: Any) -> Any:
        name = yaml.safe_load(asked["filter"])["predicates"][0]["stringValue"]
        return SimpleNamespace(runs=[r for r in self.stored.values() if r.display_name == name])

    def get_run(self, run_id: str) -> Any:
        if run_id not in self.stored:
            raise ApiException(status=404)
        return self.stored[run_id]

    def terminate_run(self, run_id: str) -> None:
        self.stored[run_id].state = "CANCELED"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(PACKAGE))
    return path


def test_a_second_call_finds_the_run_of_the_first(package: Path) -> None:
    client = Client()
    runs = KfpRuns(lambda: client, package, "driftloop")
    first = runs.ensure("ns.ads-ctr-1", "new", {"loop": "ads-ctr"})
    assert runs.ensure("ns.ads-ctr-1", "new", {"loop": "ads-ctr"}) == first
    (asked,) = client.asked
    assert asked["params"] == {"loop": "ads-ctr"}
    assert asked["enable_caching"] is False
    assert "new" in asked["package"]


def test_of_two_created_at_once_the_younger_is_ended(package: Path) -> None:
    client = Client(rival=True)
    found = KfpRuns(lambda: client, package, "driftloop").ensure("ns.ads-ctr-1", "", {})
    assert found.id == "run-0"
    assert [run.state for run in client.stored.values()] == ["RUNNING", "CANCELED"]


def test_a_run_the_server_forgot_is_none(package: Path) -> None:
    assert KfpRuns(Client, package, "driftloop").get("gone") is None


def test_a_server_that_refuses_is_unavailable(package: Path) -> None:
    client = Client()
    client.list_runs = lambda **_: (_ for _ in ()).throw(ApiException(status=503))
    with pytest.raises(Unavailable, match="Kubeflow Pipelines refused or did not answer"):
        KfpRuns(lambda: client, package, "driftloop").ensure("ns.ads-ctr-1", "", {})


def test_an_image_is_set_in_every_step_and_left_alone_when_there_is_none() -> None:
    text = yaml.safe_dump_all([PACKAGE, {"platforms": {}}])
    first, second = yaml.safe_load_all(with_image(text, "new@sha256:1"))
    assert first["deploymentSpec"]["executors"]["exec-a"]["container"]["image"] == "new@sha256:1"
    assert second == {"platforms": {}}
    assert next(yaml.safe_load_all(with_image(text, ""))) == PACKAGE


def test_a_server_that_is_away_at_the_start_is_asked_again(package: Path) -> None:
    answers = [ApiException(status=503), Client()]

    def connect() -> Client:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    runs = KfpRuns(connect, package, "driftloop")
    with pytest.raises(Unavailable):
        runs.find("ns.ads-ctr-1")
    assert runs.find("ns.ads-ctr-1") is None
