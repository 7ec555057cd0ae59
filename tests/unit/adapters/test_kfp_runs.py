"""Runs by name on a server that lets two of them have one."""

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
    """KFP's client as far as it is used."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {}
        self.asked: list[dict[str, Any]] = []
        self.namespaces: list[str | None] = []

    def _add(self, name: str) -> Any:
        run_id = f"run-{len(self.stored)}"
        self.stored[run_id] = SimpleNamespace(
            run_id=run_id, display_name=name, state="RUNNING", error=None
        )
        return self.stored[run_id]

    def create_experiment(self, name: str, namespace: str | None) -> Any:
        self.namespaces.append(namespace)
        return SimpleNamespace(experiment_id="1")

    def run_pipeline(self, experiment: str, name: str, **asked: Any) -> Any:
        self.asked.append(asked | {"package": Path(asked["pipeline_package_path"]).read_text()})
        return self._add(name)

    def list_runs(self, **asked: Any) -> Any:
        self.namespaces.append(asked["namespace"])
        name = yaml.safe_load(asked["filter"])["predicates"][0]["stringValue"]
        return SimpleNamespace(runs=[r for r in self.stored.values() if r.display_name == name])

    def terminate_run(self, run_id: str) -> None:
        if self.stored[run_id].state != "RUNNING":
            raise ApiException(status=400, reason="Row not found")
        self.stored[run_id].state = "CANCELING"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    path = tmp_path / "training.yaml"
    path.write_text(yaml.safe_dump(PACKAGE))
    return path


def test_a_run_is_created_as_asked_and_found_by_its_name(package: Path) -> None:
    client = Client()
    runs = KfpRuns(lambda: client, package)
    assert runs.named("ns", "ns.ads-ctr-1") == []
    first = runs.create("ns", "ns.ads-ctr-1", "new", {"loop": "ads-ctr"})
    runs.create("ns", "ns.ads-ctr-10", "new", {"loop": "ads-ctr"})
    assert runs.named("ns", "ns.ads-ctr-1") == [first]
    asked = client.asked[0]
    assert asked["params"] == {"loop": "ads-ctr"}
    assert asked["enable_caching"] is False
    assert "new" in asked["package"]


@pytest.mark.parametrize(("multi_user", "namespace"), [(True, "ns"), (False, None)])
def test_a_run_belongs_to_a_namespace_where_the_server_has_users(
    package: Path, multi_user: bool, namespace: str | None
) -> None:
    client = Client()
    runs = KfpRuns(lambda: client, package, multi_user=multi_user)
    runs.create("ns", "ns.ads-ctr-1", "", {})
    runs.named("ns", "ns.ads-ctr-1")
    assert client.namespaces == [namespace, namespace]


def test_a_run_is_ended_once_and_goes_on_until_it_is_over(package: Path) -> None:
    client = Client()
    runs = KfpRuns(lambda: client, package)
    run = runs.create("ns", "ns.ads-ctr-1", "", {})
    runs.end(run.id)
    runs.end(run.id)
    (ending,) = runs.named("ns", "ns.ads-ctr-1")
    assert (run.state, ending.state, ending.over) == ("running", "ending", False)
    client.stored[run.id].state = "CANCELED"
    (ended,) = runs.named("ns", "ns.ads-ctr-1")
    assert (ended.state, ended.over) == ("cancelled", True)


def test_a_server_that_refuses_is_unavailable(package: Path) -> None:
    client = Client()
    client.run_pipeline = lambda *_, **__: (_ for _ in ()).throw(ApiException(status=503))
    with pytest.raises(Unavailable, match="Kubeflow Pipelines refused or did not answer"):
        KfpRuns(lambda: client, package).create("ns", "ns.ads-ctr-1", "", {})


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

    runs = KfpRuns(connect, package)
    with pytest.raises(Unavailable):
        runs.named("ns", "ns.ads-ctr-1")
    assert runs.named("ns", "ns.ads-ctr-1") == []
