"""Every way to install Driftloop, as the API server takes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import ROOT, Cluster

MANIFESTS = ROOT / "manifests"
WAYS = sorted(
    str(path.parent.relative_to(MANIFESTS))
    for path in MANIFESTS.glob("**/kustomization.yaml")
    if "kind: Kustomization" in path.read_text() and path.parent.parent.name != "base"
)


@pytest.fixture(scope="module", autouse=True)
def keys() -> None:
    """The keys of a cluster of one's own, as its owner makes them."""
    subprocess.run([MANIFESTS / "overlays/laptop/keys.sh"], check=True)


def built(cluster: Cluster, way: str) -> list[dict[str, Any]]:
    done = cluster.kubectl("kustomize", str(MANIFESTS / way))
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_the_ways_are_found() -> None:
    overlays = {f"overlays/{name}" for name in ("kind", "laptop", "production")}
    assert overlays | {"base", "crds", "namespace", "namespace/pipelines"} <= set(WAYS)


@pytest.mark.parametrize("way", WAYS)
def test_the_api_server_takes_it(cluster: Cluster, way: str) -> None:
    objects = built(cluster, way)
    # A namespace that only a dry run made cannot take anything: it is made first.
    for item in objects:
        if item["kind"] == "Namespace":
            assert cluster.apply(item).returncode == 0
    text = yaml.safe_dump_all(objects)
    done = cluster.kubectl("apply", "--dry-run=server", "-n", "default", "-f", "-", text=text)
    if "must match the provided namespace" in done.stderr or "does not match" in done.stderr:
        done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", text=text)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_every_pod_keeps_to_the_restricted_profile_and_its_limits(
    cluster: Cluster, way: str
) -> None:
    pods = [item["spec"]["template"]["spec"] for item in built(cluster, way) if runs(item)]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert set(container["resources"]) == {"requests", "limits"}
            assert "livenessProbe" in container


def runs(item: dict[str, Any]) -> bool:
    return item["kind"] in ("Deployment", "StatefulSet", "Job", "DaemonSet")


@pytest.mark.parametrize("name", sorted(path.name for path in MANIFESTS.glob("components/*")))
def test_a_component_fits_on_the_base(cluster: Cluster, name: str, tmp_path: Path) -> None:
    relative = os.path.relpath(MANIFESTS, tmp_path)
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{relative}/base"],
        "components": [f"{relative}/components/{name}"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    assert cluster.kubectl("apply", "-k", str(MANIFESTS / "base")).returncode == 0
    done = cluster.kubectl("apply", "--dry-run=server", "-k", str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_what_is_rendered_for_review_is_taken(cluster: Cluster, namespace: str) -> None:
    command = [sys.executable, "-m", "driftloop.cli", "render", "ads_ctr", "--version", "0001-a"]
    done = subprocess.run(
        [*command, "--namespace", namespace], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    taken = cluster.kubectl("apply", "--dry-run=server", "-f", "-", text=done.stdout)
    assert taken.returncode == 0, taken.stderr
    assert [line.split("/")[0] for line in taken.stdout.splitlines()] == [
        "inferenceservice.serving.kserve.io",
        "poddisruptionbudget.policy",
        "cronjob.batch",
    ]


def test_the_doctor_says_what_is_there_and_what_is_not(cluster: Cluster) -> None:
    base = str(MANIFESTS / "base")
    assert cluster.kubectl("apply", "-k", base).returncode == 0
    found = examined(cluster)
    assert found == {
        "API server": "ok",
        "driftloop.io/v1alpha1": "ok",
        "serving.kserve.io/v1beta1": "ok",
        "Kubeflow Pipelines": "AMISS",
        "object store": "-",
        "KServe's version": "-",
        "Gateway API": "ok",
        "rights of driftloop-controller": "ok",
        "rights of driftloop-receiver": "ok",
    }
    try:
        assert cluster.kubectl("delete", "clusterrole", "driftloop-receiver").returncode == 0
        changed = {"rights of driftloop-receiver": "AMISS"}
        assert examined(cluster) == found | changed
    finally:
        assert cluster.kubectl("apply", "-k", base).returncode == 0


def examined(cluster: Cluster) -> dict[str, str]:
    """Return the doctor's marks; the pipeline server is where nobody listens."""
    command = [sys.executable, "-m", "driftloop.cli", "doctor"]
    environ = cluster.environ | {"DRIFTLOOP_KFP": "http://127.0.0.1:9"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return {line[7:].split(":")[0]: line[:6].strip() for line in done.stdout.splitlines()}
