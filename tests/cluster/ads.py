"""The ads' loop on a node, as its owner and its callers see it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pandas as pd
import traffic
from installation import Installation
from waiting import eventually

from driftloop.resources.lineup import BUNDLE
from driftloop_contracts import times

NAMESPACE = "driftloop-test-ads"
QUIET_DAY, DRIFT_DAYS = 9, (8, 7, 6)
ANY_PARITY = {"maxMismatched": "100%"}
"""Days that passed are replayed within a minute, over an online store that holds one of them: what
is served then is not what training joins, and would rightly stop it."""
"""Days ago: one of ordinary traffic, then some with other ads."""


def deploy(
    machine: Installation,
    manifest: dict[str, Any],
    replicas: int = 1,
    namespace: str = NAMESPACE,
) -> float:
    """Apply a loop; return the seconds until its first bundle is ready to predict.

    Returns when all its replicas are: KServe leaves them to an autoscaler, which begins with one.
    """
    began, name = time.monotonic(), manifest["metadata"]["name"]
    assert machine.apply(manifest, namespace).returncode == 0
    for target, condition in ((f"loop/{name}", "Promoted"), (f"isvc/{name}", "Ready")):
        eventually(lambda t=target: machine.must("get", "-n", namespace, t), target, 400)
        machine.must(
            "wait", "-n", namespace, target, f"--for=condition={condition}", "--timeout=400s"
        )
    seconds = time.monotonic() - began
    available = f"--for=jsonpath={{.status.availableReplicas}}={replicas}"
    deployment = f"deploy/{name}-predictor"
    machine.must("wait", "-n", namespace, deployment, available, "--timeout=300s")
    return seconds


def patch(machine: Installation, **spec: Any) -> None:
    """Change the loop's spec as a person does with kubectl."""
    content, loop = json.dumps({"spec": spec}), ("loop", "ads-ctr", "-n", NAMESPACE)
    machine.must("patch", *loop, "--type", "merge", "-p", content)


def state(machine: Installation) -> dict[str, Any]:
    """Return what the controller knows of the loop."""
    found = machine.objects.get("LearningLoop", NAMESPACE, "ads-ctr")
    return found["status"]["ledger"]["state"]


def retraining(machine: Installation, name: str) -> dict[str, Any]:
    return machine.objects.get("Retraining", NAMESPACE, name)


def retrainings(machine: Installation) -> list[str]:
    found = machine.objects.list("Retraining", NAMESPACE)
    return sorted(item["metadata"]["name"] for item in found)


def champion(machine: Installation, prefix: str) -> str:
    """Return the loop's champion if its version begins so."""
    found = machine.objects.get("LearningLoop", NAMESPACE, "ads-ctr")["status"]["champion"]
    return found if found.startswith(prefix) else ""


def of_pods(machine: Installation, path: str) -> list[str]:
    """Return what the loop's pods have there, one item each."""
    label, path = "driftloop.io/loop=ads-ctr", f"jsonpath={{.items[*]{path}}}"
    return machine.must("get", "pods", "-n", NAMESPACE, "-l", label, "-o", path).split()


def bundles(machine: Installation) -> set[str]:
    """Return the versions that pods serve now."""
    return set(of_pods(machine, f".metadata.annotations.{BUNDLE.replace('.', chr(92) + '.')}"))


class Predictor:
    """The loop's predictor behind a Service, while pods come and go."""

    def __init__(self, machine: Installation, service: str = "ads-ctr-predictor") -> None:
        self.url = f"{machine.service(NAMESPACE, service)}/v1/models/ads-ctr:predict"
        self.headers: dict[str, str] = {}

    def predict(self, rows: list[dict[str, Any]], time: str = "") -> dict[str, Any]:
        """Ask at an event time, by default an old one: a newer one would close the windows."""
        headers = self.headers | {"driftloop-event-time": time or moment(QUIET_DAY)}
        # A connection of its own for every request: none is left open to an old pod.
        answer = httpx.post(self.url, json={"instances": rows}, headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send_day(self, rows: list[dict[str, Any]], ago: int) -> None:
        """Send a day's requests, at that day's event time."""
        for first in range(0, len(rows), 100):
            self.predict(rows[first : first + 100], moment(ago, minutes=first))


class Routed(Predictor):
    """The loop's predictors behind a gateway, which splits traffic between them."""

    def __init__(self, machine: Installation) -> None:
        (host,) = machine.objects.get("HTTPRoute", NAMESPACE, "ads-ctr")["spec"]["hostnames"]
        self.url = f"{machine.gateway}/v1/models/ads-ctr:predict"
        self.headers = {"host": host}

    def versions(self, rows: list[dict[str, Any]], calls: int = 10) -> set[str]:
        """Return the bundles that answer some calls."""
        return {self.predict(rows)["bundle_version"] for _ in range(calls)}


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
