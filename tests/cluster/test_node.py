"""Driftloop on a real node: images in pods, MinIO, Redis; only KServe and KFP are stood in for."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import traffic
import yaml
from api_server import ROOT
from kfp import Client
from machine import IMAGES, SYSTEM, Machine, running
from waiting import eventually

from driftloop.adapters.kfp_runs import KfpRuns
from driftloop.resources.serving import BUNDLE
from driftloop.usecase import UseCase
from driftloop_contracts import times

pytestmark = pytest.mark.node

NAMESPACE = "ads"
QUIET_DAY, DRIFT_DAYS = 9, (8, 7, 6)
"""Days ago: one of ordinary traffic, then some with other ads."""


@pytest.fixture(scope="module")
def machine(case: UseCase) -> Iterator[Machine]:
    """A node with Driftloop installed and a namespace whose loop has an archive."""
    if subprocess.run(["docker", "image", "inspect", *IMAGES], capture_output=True).returncode:
        pytest.skip("There are no images to load: run 'make test-cluster'.")
    folder = Path(tempfile.mkdtemp(prefix="driftloop-node-", dir="/var/tmp")) / "state"
    with running(folder) as found:
        found.must("apply", "-k", str(ROOT / "manifests" / "crds"))
        found.must("apply", "-f", str(ROOT / "tests/cluster/standins/kserve.yaml"))
        for namespace in ("kubeflow", NAMESPACE):
            found.must("create", "namespace", namespace)
            found.lend(namespace)
        found.must("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        found.must("apply", "-n", NAMESPACE, "-k", str(ROOT / "manifests" / "namespace"))
        found.start_minio()
        found.start_others()
        found.make_bucket()
        traffic.archive(found.store(NAMESPACE), case)
        found.install()
        for name in ("driftloop-controller", "driftloop-receiver"):
            found.must(
                "wait", "-n", SYSTEM, f"deploy/{name}", "--for=condition=Available",
                "--timeout=120s",
            )  # fmt: skip
        yield found
        keep = os.environ.get("DRIFTLOOP_NODE_LOGS")
        if keep:
            shutil.copytree(found.logs, keep, dirs_exist_ok=True)
    shutil.rmtree(folder.parent)


class Predictor:
    """The loop's predictor behind its Service."""

    def __init__(self, machine: Machine) -> None:
        address = machine.must(
            "get", "service", "-n", NAMESPACE, "ads-ctr-predictor", "-o",
            "jsonpath={.spec.clusterIP}",
        )  # fmt: skip
        self.url = f"http://{address}/v1/models/ads-ctr:predict"

    def predict(self, rows: list[dict[str, Any]], time: str = "") -> dict[str, Any]:
        """Ask at an event time, by default an old one: a newer one would close the windows."""
        headers = {"driftloop-event-time": time or moment(QUIET_DAY)}
        # A connection of its own for every request: none is left open to an old pod.
        answer = httpx.post(self.url, json={"instances": rows}, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send_day(self, rows: list[dict[str, Any]], ago: int) -> None:
        """Send a day's requests, at that day's event time."""
        for first in range(0, len(rows), 100):
            self.predict(rows[first : first + 100], moment(ago, minutes=first))


def moment(ago: int, minutes: int = 0) -> str:
    """Return an instant of the day ``ago`` days before today."""
    found = traffic.today() + pd.Timedelta(days=-ago, minutes=minutes)
    return times.to_text(found.to_pydatetime())


class Caller:
    """Calls the predictor all the time, with new connections, and keeps what failed."""

    def __init__(self, predict: Callable[[], Any]) -> None:
        self.calls, self.failures = 0, []
        self._predict, self._over = predict, threading.Event()
        self._thread = threading.Thread(target=self._call)

    def __enter__(self) -> Caller:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _call(self) -> None:
        while not self._over.wait(0.05):
            self.calls += 1
            try:
                self._predict()
            except Exception as error:
                self.failures.append(f"{time.monotonic()}: {error!r}")


@pytest.fixture(scope="module")
def served(machine: Machine, manifest_of_ads: dict[str, Any]) -> float:
    """Apply the loop; return the seconds until its first bundle is ready to predict."""
    began = time.monotonic()
    assert machine.apply(manifest_of_ads, NAMESPACE).returncode == 0
    for target, condition in (("loop/ads-ctr", "Promoted"), ("isvc/ads-ctr", "Ready")):
        eventually(lambda t=target: machine.must("get", "-n", NAMESPACE, t), target, 200)
        machine.must(
            "wait", "-n", NAMESPACE, target, f"--for=condition={condition}", "--timeout=240s"
        )
    return time.monotonic() - began


@pytest.fixture(scope="module")
def manifest_of_ads(case: UseCase) -> dict[str, Any]:
    content = yaml.safe_load((case.folder / "loop.yaml").read_text())
    content["spec"]["retrain"] |= {"cooldown": "0s", "dailyBudget": 20, "growth": 0}
    return content


@pytest.fixture(scope="module")
def materialized(machine: Machine, served: float) -> None:
    """Fill Redis through the committed pipeline, as a user would."""
    package = ROOT / "pipelines" / "compiled" / "materialize.yaml"
    runs = KfpRuns(lambda: Client(host=machine.kfp), package, "driftloop")
    parameters = {"loop": "ads-ctr", "store": f"s3://driftloop/{NAMESPACE}"}
    run = runs.ensure("materialize-by-hand", IMAGES[0], parameters)
    eventually(lambda: runs.get(run.id).state == "succeeded", "materialization", 90)


def test_a_loop_is_applied_and_predicts_with_features_from_redis(
    machine: Machine, served: float, materialized: None, case: UseCase, measured: Callable
) -> None:
    rows = traffic.instances(case, QUIET_DAY)[:1]
    predictor = Predictor(machine)
    answer = predictor.predict(rows)
    assert 0 < answer["predictions"][0] < 1
    assert answer["bundle_version"].startswith("0001-")
    # The query's history is all that tells these two apart.
    stranger = [row | {"query_id": 999_999_999} for row in rows]
    assert predictor.predict(stranger)["predictions"] != answer["predictions"]
    measured(f"kubectl apply to the first prediction: {served:.0f} s")


def test_drift_in_traffic_ends_in_a_promoted_model_whatever_is_killed(
    machine: Machine, served: float, materialized: None, case: UseCase, measured: Callable
) -> None:
    predictor, rows = Predictor(machine), traffic.instances(case, QUIET_DAY)
    began = time.monotonic()
    with Caller(lambda: predictor.predict(rows[:2])) as caller:
        predictor.send_day(rows, QUIET_DAY)
        for ago in DRIFT_DAYS:
            shifted = [row | {"category": rows[0]["category"]} for row in rows]
            predictor.send_day(shifted, ago)
        found = eventually(lambda: retraining(machine, "ads-ctr-2"), "the retraining", 120)
        assert "drift" in [cause["kind"] for cause in found["spec"]["causes"]]
        machine.kill_pod("driftloop-controller")
        machine.crash()
        version = eventually(lambda: champion(machine, "0002-"), "the second champion", 240)
        eventually(lambda: bundles(machine) == {version}, "the old pods to be gone", 180)
        seconds = time.monotonic() - began
    assert caller.calls > 50
    assert caller.failures == []
    assert predictor.predict(rows[:1])["bundle_version"] == version
    names = [item["metadata"]["name"] for item in machine.objects.list("Retraining", NAMESPACE)]
    assert sorted(names) == ["ads-ctr-1", "ads-ctr-2"]
    assert machine.store(NAMESPACE).list("inference/ads-ctr/")
    assert seconds < 300
    measured(f"drifting traffic to the promoted model: {seconds:.0f} s, {caller.calls} calls")


def pods(machine: Machine, path: str) -> list[str]:
    label = "driftloop.io/loop=ads-ctr"
    return machine.must("get", "pods", "-n", NAMESPACE, "-l", label, "-o", path).split()


def retraining(machine: Machine, name: str) -> dict[str, Any]:
    return machine.objects.get("Retraining", NAMESPACE, name)


def champion(machine: Machine, prefix: str) -> str:
    found = machine.objects.get("LearningLoop", NAMESPACE, "ads-ctr")["status"]["champion"]
    return found if found.startswith(prefix) else ""


def bundles(machine: Machine) -> set[str]:
    """Return the versions that pods serve now."""
    path = f"jsonpath={{.items[*].metadata.annotations.{BUNDLE.replace('.', chr(92) + '.')}}}"
    return set(pods(machine, path))
