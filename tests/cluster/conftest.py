"""A real API server, the pipeline server's stand-in, and controllers as processes of their own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from api_server import HERE, ROOT, Cluster
from waiting import eventually

from driftloop import usecase
from driftloop.archive import Archive
from driftloop.laptop.unfolding import Unfolding
from driftloop.resources import definitions
from driftloop.usecase import Span, UseCase
from driftloop_contracts.object_store import FileStore

DAYS = 20
"""Days of traffic a loop finds in its archive, the last one yesterday."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API server with Driftloop's kinds and the names of KServe's."""
    if subprocess.run([HERE / "cluster.sh", "built"]).returncode:
        pytest.skip("There is no API server to start: run 'make test-cluster'.")
    folder = tmp_path_factory.mktemp("cluster") / "state"
    subprocess.run([HERE / "cluster.sh", "up", folder], check=True)
    try:
        found = Cluster(folder)
        for flag, path in (("-k", "manifests/crds"), ("-f", "tests/cluster/standins/kserve.yaml")):
            done = found.kubectl("apply", flag, str(ROOT / path))
            assert done.returncode == 0, done.stderr
        names = [f"crd/{resource.plural}.driftloop.io" for resource in definitions.RESOURCES]
        names += ["crd/inferenceservices.serving.kserve.io"]
        done = found.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
        assert done.returncode == 0, done.stderr
        yield found
    finally:
        subprocess.run([HERE / "cluster.sh", "down", folder], check=True)


@pytest.fixture(scope="session")
def case() -> UseCase:
    return usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})


@pytest.fixture(scope="session")
def store(case: UseCase, tmp_path_factory: pytest.TempPathFactory) -> FileStore:
    """An archive with the simulator's traffic, moved so that it ends yesterday."""
    store = FileStore(tmp_path_factory.mktemp("store"))
    archive, stream = Archive(store, case.loop.name), case.read(Span(seed=1))
    first = stream.requests["event_time"].iloc[0].floor("D")
    later = pd.Timestamp.now(tz="UTC").floor("D") - pd.Timedelta(days=DAYS) - first
    for frame, names in (
        (stream.requests, ["event_time"]),
        (stream.outcomes, ["event_time", "known_time"]),
    ):
        for name in names:
            frame[name] += later
    unfolding = Unfolding(stream)
    for day in pd.date_range(first + later, periods=DAYS, freq="D"):
        name = f"{day:%Y-%m-%d}"
        archive.put("outcomes", name, unfolding.advance(day))
        span = unfolding.between(day, day + pd.Timedelta(days=1))
        archive.put("requests", name, stream.requests.iloc[span])
        history = unfolding.labelled(first + later, day)
        if len(history):
            for view, rows in case.compute_features(history, day).items():
                archive.put(f"features/{view}", name, rows)
    return store


class Process:
    """A process of a test; killed when the test ends, if not before."""

    def __init__(self, command: list[str], environ: dict[str, str], log: Path) -> None:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=inherited | environ, stdout=output, stderr=output, cwd=ROOT
            )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start a Python process; every one is killed with the test."""
    started: list[Process] = []

    def begin(name: str, *command: str, **environ: str) -> Process:
        log = tmp_path / f"{name}.log"
        started.append(Process([sys.executable, *command], environ, log))
        return started[-1]

    yield begin
    for process in started:
        if process.process.poll() is None:
            process.kill()


@pytest.fixture
def kfp(start: Callable[..., Process], tmp_path: Path) -> str:
    """The pipeline server's stand-in; returns its address. Its runs lie in kfp/."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = str(HERE / "standins" / "kfp_server.py")
    environ = {"DRIFTLOOP_USECASES": str(ROOT / "usecases"), "OMP_NUM_THREADS": "1"}
    start("kfp", server, str(port), str(tmp_path / "kfp"), **environ)
    eventually(lambda: _listens(port), "the pipeline server to listen")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def controller(
    start: Callable[..., Process], cluster: Cluster, kfp: str, store: FileStore
) -> Callable[[str, str], Process]:
    """Start a controller for a namespace."""

    def begin(name: str, namespace: str) -> Process:
        environ = cluster.environ | {
            "DRIFTLOOP_IMAGE": "driftloop/platform:test",
            "DRIFTLOOP_SIDECAR_IMAGE": "driftloop/drift-sidecar:test",
            "DRIFTLOOP_STORE": store.uri,
            "DRIFTLOOP_SINK": "http://driftloop-receiver",
            "DRIFTLOOP_KFP": kfp,
            "DRIFTLOOP_NAMESPACES": namespace,
            "DRIFTLOOP_TURN_SECONDS": "2",
        }
        return start(name, "-m", "driftloop.services.controller", **environ)

    return begin


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    digest = hashlib.blake2b(request.node.name.encode(), digest_size=3).hexdigest()
    name = f"{request.node.originalname.replace('_', '-')[:50].strip('-')}-{digest}"
    done = cluster.kubectl("create", "namespace", name)
    assert done.returncode == 0, done.stderr
    return name


@pytest.fixture
def manifest(case: UseCase) -> dict[str, Any]:
    """The ads' loop.yaml, quick to retrain."""
    content = yaml.safe_load((case.folder / "loop.yaml").read_text())
    content["spec"]["retrain"] |= {"cooldown": "0s", "dailyBudget": 20, "growth": 0}
    return content


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def runs(tmp_path: Path) -> Callable[[], list[dict[str, Any]]]:
    """Return every run the pipeline server was ever asked for."""
    return lambda: [json.loads(path.read_text()) for path in (tmp_path / "kfp").glob("*.json")]
