"""The compiled pipeline in the platform image, through KFP's DockerRunner; the sidecar's image."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import traffic

from driftloop import usecase
from driftloop.bundle import model_file
from driftloop.training import outcome
from driftloop.training.order import Order
from driftloop_contracts import bundle, signature
from driftloop_contracts.object_store import FileStore

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
DAYS = 6
RUN = """
import json, os, sys
import docker
from kfp import components, local
root, package, arguments = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
runner = local.DockerRunner(
    user=str(os.getuid()), network_mode="host", environment={"HOME": "/tmp"}
)
local.init(runner=runner, pipeline_root=root, raise_on_error=True)
outputs = components.load_component_from_file(package)(**arguments).outputs
print("VERDICT", outputs["Output"])
"""


@pytest.fixture(scope="module")
def engine() -> None:
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("No Docker engine answers: run 'make test-containers'.")


@pytest.fixture
def archived(tmp_path: Path) -> tuple[FileStore, Order]:
    """A week of simulated traffic below the pipeline's root, which is what gets mounted."""
    case = usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
    store = FileStore(tmp_path / "root" / "store")
    day = traffic.archive(store, case, DAYS)
    return store, Order(case.loop.name, 1, day.to_pydatetime(), "initial")


def test_the_compiled_pipeline_makes_a_bundle_in_containers(
    engine: None, archived: tuple[FileStore, Order], tmp_path: Path
) -> None:
    store, order = archived
    arguments = {"loop": order.loop, "store": store.uri, "order": order.to_json()}
    package = ROOT / "pipelines" / "compiled" / "training.yaml"
    command = [sys.executable, "-c", RUN, str(tmp_path / "root"), str(package)]
    done = subprocess.run(
        [*command, json.dumps(arguments)], capture_output=True, text=True, env=os.environ
    )
    assert "VERDICT promote" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    verdict = json.loads(store.get(outcome.key(order.loop, order.name)))
    manifest = bundle.fetch(
        store, order.loop, verdict["version"], tmp_path / "bundle", signature.ANYONE
    )
    assert manifest.facts["retraining"] == order.name
    assert model_file.load(tmp_path / "bundle" / bundle.MODEL).predict_proba


def test_a_bad_order_fails_its_step_with_a_sentence(
    engine: None, archived: tuple[FileStore, Order], tmp_path: Path
) -> None:
    store, _ = archived
    done = _in_platform(
        store,
        "from driftloop.training import steps;"
        f"steps.ingest('ads-ctr', {store.uri!r}, 'not json', '/tmp/rows')",
    )
    assert done.returncode != 0
    assert "the pipeline's parameter 'order' must be a JSON object" in done.stderr


@pytest.mark.parametrize(("image", "most"), [("platform", 1.2e9), ("drift-sidecar", 0.7e9)])
def test_an_image_is_no_larger_than_it_may_be(engine: None, image: str, most: float) -> None:
    size = int(_docker("image", "inspect", "-f", "{{.Size}}", f"driftloop/{image}:latest").stdout)
    assert 1e8 < size <= most


@pytest.mark.parametrize("image", ["platform", "drift-sidecar"])
def test_an_image_holds_what_its_bill_of_materials_says(engine: None, image: str) -> None:
    bill = json.loads((ROOT / "sbom" / f"{image}.cdx.json").read_text())["components"]
    known = {normal(item["name"]): item.get("version") for item in bill}
    # One with a marker may be for another system.
    required = {normal(item["name"]) for item in bill if not item.get("properties")}
    script = "import importlib.metadata as m, json; "
    script += "print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = _docker("run", "--rm", f"driftloop/{image}:latest", "python", "-c", script)
    held = {normal(name): version for name, version in json.loads(done.stdout).items()}
    own = {"driftloop", "driftloop-contracts", "drift-sidecar"}
    assert {name: held[name] for name in held.keys() - own}.items() <= known.items()
    assert required - own <= held.keys()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_minio_is_an_image_too(engine: None) -> None:
    made = subprocess.run(["make", "image-minio"], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    said = _docker("run", "--rm", "--network=host", "driftloop/minio:latest", "minio", "--version")
    assert said.stdout.startswith("minio version"), said.stderr


def test_the_images_run_as_nobody_in_particular(engine: None) -> None:
    for image in ("driftloop/platform:latest", "driftloop/drift-sidecar:latest"):
        done = _docker(
            "run", "--rm", "--network=host", image, "python", "-c", "import os; print(os.getuid())"
        )
        assert done.stdout.strip() == "10001", done.stderr


def test_the_sidecars_image_says_what_it_misses(engine: None) -> None:
    done = _docker("run", "--rm", "--network=host", "driftloop/drift-sidecar:latest")
    assert done.returncode == 2
    assert "DRIFTLOOP_" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_use_case_of_ones_own_is_an_image_on_top_of_the_platform(engine: None) -> None:
    name = "driftloop/ads-ctr:test"
    made = subprocess.run(
        ["make", "image", "USECASE=ads_ctr", f"IMAGE={name}"], cwd=ROOT, capture_output=True
    )
    assert made.returncode == 0, made.stderr
    done = _docker("run", "--rm", "--network=host", name, "driftloop", "loops")
    assert "ads_ctr" in done.stdout, done.stderr
    wrong = subprocess.run(
        ["make", "image", "USECASE=nothing", f"IMAGE={name}"], cwd=ROOT, capture_output=True
    )
    assert wrong.returncode != 0


def _in_platform(store: FileStore, script: str) -> subprocess.CompletedProcess[str]:
    volume = f"{store.root}:{store.root}"
    image = "driftloop/platform:latest"
    return _docker("run", "--rm", "--network=host", "-v", volume, image, "python", "-c", script)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True)
