"""A real API server, the pipeline server's stand-in, and controllers as processes of their own."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import traffic
import yaml
from api_server import HERE, ROOT, Cluster, free_port
from process import Process
from waiting import eventually

from driftloop import usecase
from driftloop.resources import definitions
from driftloop.usecase import UseCase
from driftloop_contracts.object_store import FileStore


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


MEASURED: list[str] = []


@pytest.fixture
def measured() -> Callable[[str], None]:
    """Print a line at the end of the run, whatever came of the tests."""
    return MEASURED.append


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in MEASURED:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API server with Driftloop's kinds and the names of KServe's."""
    if subprocess.run([HERE / "cluster.sh", "built"]).returncode:
        pytest.skip("There is no API server to start: run 'make test-cluster'.")
    folder = tmp_path_factory.mktemp("cluster") / "state"
    subprocess.run([HERE / "cluster.sh", "up", folder], check=True)
    try:
        found = Cluster(folder)
        gateway = subprocess.check_output([HERE / "cluster.sh", "crds"], text=True).strip()
        standins = str(HERE / "standins")
        kinds = ("-k", str(ROOT / "manifests/crds")), ("-f", standins)
        # The Gateway API's are too large for the annotation that apply keeps on this side.
        for command in (*kinds, ("--server-side", "-f", gateway)):
            done = found.kubectl("apply", *command)
            assert done.returncode == 0, done.stderr
        names = [f"crd/{resource.plural}.driftloop.io" for resource in definitions.RESOURCES]
        names += ["crd/inferenceservices.serving.kserve.io"]
        names += ["crd/httproutes.gateway.networking.k8s.io"]
        done = found.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
        assert done.returncode == 0, done.stderr
        yield found
    finally:
        subprocess.run([HERE / "cluster.sh", "down", folder], check=True)


@pytest.fixture(scope="session")
def case() -> UseCase:
    return usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})


@pytest.fixture(scope="session")
def archived(case: UseCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with traffic up to yesterday."""
    folder = tmp_path_factory.mktemp("archive")
    traffic.archive(FileStore(folder), case)
    return folder


@pytest.fixture
def store(archived: Path, namespace: str, tmp_path: Path) -> FileStore:
    """A store in which the namespace's loops have an archive."""
    shutil.copytree(archived, tmp_path / "store" / namespace)
    return FileStore(tmp_path / "store")


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
    port = free_port()
    server = str(HERE / "standins" / "kfp_server.py")
    environ = {"DRIFTLOOP_USECASES": str(ROOT / "usecases"), "OMP_NUM_THREADS": "1"}
    start("kfp", server, str(port), str(tmp_path / "kfp"), **environ)
    eventually(lambda: _listens(port), "the pipeline server to listen")
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def controller(
    start: Callable[..., Process], cluster: Cluster, kfp: str, store: FileStore
) -> Callable[..., Process]:
    """Start a controller for a namespace, with more settings where needed."""

    def begin(name: str, namespace: str, **more: str) -> Process:
        environ = cluster.environ | {
            "DRIFTLOOP_IMAGE": "driftloop/platform:test",
            "DRIFTLOOP_SIDECAR_IMAGE": "driftloop/drift-sidecar:test",
            "DRIFTLOOP_STORE": store.uri,
            "DRIFTLOOP_SINK": "http://driftloop-receiver",
            "DRIFTLOOP_KFP": kfp,
            "DRIFTLOOP_NAMESPACES": namespace,
            "DRIFTLOOP_TURN_SECONDS": "2",
        }
        return start(name, "-m", "driftloop.services.controller", **environ | more)

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
