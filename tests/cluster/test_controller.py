"""The controller against a real API server: a loop from `kubectl apply` to what serves it."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from api_server import free_port
from waiting import eventually

from driftloop.adapters.kubernetes_objects import Stale
from driftloop.resources import loop_event
from driftloop.resources.lineup import BUNDLE
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent

NOON = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def loop(cluster, namespace: str) -> dict[str, Any]:
    return cluster.objects.get("LearningLoop", namespace, "ads-ctr")


def champion(cluster, namespace: str, number: int) -> str:
    """Return the champion once it is the bundle of Retraining ``number``."""
    found = loop(cluster, namespace).get("status", {}).get("champion", "")
    return found if found.startswith(f"{number:04d}-") else ""


def served(cluster, namespace: str) -> str:
    found = cluster.objects.get("InferenceService", namespace, "ads-ctr")
    return found["spec"]["predictor"]["annotations"][BUNDLE]


def drifted(version: str, day: int, source: str) -> CloudEvent:
    """A window of ``day`` days ago that differs from the bundle's reference."""
    start = NOON - timedelta(days=day)
    end = start + timedelta(days=1)
    feature = {
        "name": "category", "kind": "categorical", "n": 1000, "total": 1000, "missing": 0,
        "p_value": 1e-9, "effect": 0.5, "threshold": 0.1, "shift": True, "fault": "",
    }  # fmt: skip
    data = {
        "bundle_version": version,
        "window_start": times.to_text(start),
        "window_end": times.to_text(end),
        "features": [feature],
    }
    return CloudEvent(f"{source}/{day}", source, event_types.WINDOW_SCORED, end, data)


def receive(cluster, namespace: str, event: CloudEvent) -> None:
    """Create the LoopEvent as a receiver does; one that is there already is let be."""
    content = loop_event.content(event, loop(cluster, namespace))
    with suppress(Stale):
        cluster.objects.create("LoopEvent", namespace, content)


def test_a_loop_is_applied_trained_and_served(
    cluster, controller, manifest, namespace, runs, store
) -> None:
    """It is trained as it was applied, which is not how its use case's own loop.yaml has it."""
    manifest["spec"]["training"]["estimators"] = ["gradient_boosting"]
    port = str(free_port())
    controller("controller", namespace, DRIFTLOOP_METRICS_PORT=port)
    assert cluster.apply(manifest, namespace).returncode == 0
    version = eventually(lambda: champion(cluster, namespace, 1), "the first champion", 120)
    eventually(lambda: served(cluster, namespace) == version, "the service to name it")
    counted = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    ended = f'{{loop="ads-ctr",namespace="{namespace}",verdict="promote"}}'
    assert f"driftloop_controller_retrainings_ended_total{ended} 1.0" in counted
    assert 'driftloop_controller_loops{stage="' in counted
    first = cluster.objects.get("Retraining", namespace, "ads-ctr-1")
    assert (first["status"]["verdict"], first["status"]["version"]) == ("promote", version)
    assert first["status"]["runUrl"].endswith(first["status"]["runId"])
    assert [run["display_name"] for run in runs()] == [f"{namespace}.ads-ctr-1"]
    for target, condition in (
        ("loop/ads-ctr", "Promoted"),
        ("loop/ads-ctr", "PlatformReady"),
        ("rt/ads-ctr-1", "Complete"),
    ):
        waited = cluster.kubectl(
            "wait", "-n", namespace, target, f"--for=condition={condition}", "--timeout=10s"
        )
        assert waited.returncode == 0, waited.stderr
    told = cluster.kubectl("describe", "-n", namespace, "loop", "ads-ctr").stdout
    assert "RetrainingOpened" in told
    assert f"{version} of ads-ctr-1 takes all traffic." in told
    bundle = json.loads(store.get(f"{namespace}/bundles/ads-ctr/{version}/manifest.json"))
    assert list(bundle["facts"]["scores"]) == ["gradient_boosting"]
    service = cluster.objects.get("InferenceService", namespace, "ads-ctr")
    assert (
        service["metadata"]["ownerReferences"][0]["uid"]
        == loop(cluster, namespace)["metadata"]["uid"]
    )


def test_kills_and_doubled_events_make_one_retraining(
    cluster, controller, manifest, namespace, runs
) -> None:
    """Two controllers, one killed in each retraining, the API server killed too."""
    first, second = controller("first", namespace), controller("second", namespace)
    assert cluster.apply(manifest, namespace).returncode == 0
    eventually(runs, "the first run")
    first.kill()
    version = oldest = eventually(
        lambda: champion(cluster, namespace, 1), "the first champion", 120
    )
    for _ in range(2):
        for source in ("/sidecar/a", "/sidecar/b"):
            receive(cluster, namespace, drifted(version, 6, source))
    controller("third", namespace)
    eventually(lambda: len(runs()) > 1, "the second run")
    second.kill()
    cluster.crash()
    version = eventually(lambda: champion(cluster, namespace, 2), "the second champion", 180)
    eventually(lambda: served(cluster, namespace) == version, "the service to name it")
    time.sleep(5)
    names = sorted(run["display_name"] for run in runs())
    assert names == [f"{namespace}.ads-ctr-1", f"{namespace}.ads-ctr-2"]
    causes = cluster.objects.get("Retraining", namespace, "ads-ctr-2")["spec"]["causes"]
    assert [cause["kind"] for cause in causes] == ["drift"]
    patch(cluster, namespace, pin=oldest)
    eventually(lambda: served(cluster, namespace) == oldest, "the pinned version to be served")
    assert champion(cluster, namespace, 2) == version, "a pin is no promotion"


def test_what_a_rollout_held_is_approved_and_the_breaker_closed_with_kubectl_alone(
    cluster, controller, manifest, namespace, runs
) -> None:
    """No pod runs here, so a candidate gets no request, and patience ends.

    KServe would write the route.
    """
    backend = {"name": "ads-ctr-blue-predictor", "port": 80}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    route |= {"metadata": {"name": "ads-ctr"}, "spec": {"rules": [{"backendRefs": [backend]}]}}
    assert cluster.apply(route, namespace).returncode == 0
    rollout = {"mode": "canary", "steps": ["50%"], "hold": "1s", "patience": "5s", "requests": 1}
    manifest["spec"]["rollout"] = rollout
    manifest["spec"]["retrain"]["breaker"] = 1
    controller("controller", namespace)
    assert cluster.apply(manifest, namespace).returncode == 0
    stable = eventually(lambda: champion(cluster, namespace, 1), "the first champion", 120)
    receive(cluster, namespace, drifted(stable, 6, "/sidecar/a"))
    offered = eventually(lambda: canaries(cluster, namespace), "the canary to be asked for", 120)
    assert [one["trafficPercent"] for one in offered] == [0], "it has no pod yet"
    held = eventually(lambda: state(cluster, namespace)["held"], "the candidate to be held", 60)
    eventually(lambda: canaries(cluster, namespace) == [], "the canary to be taken away")
    assert state(cluster, namespace)["unpromoted"] == 1
    patch(cluster, namespace, orders={"resume": "it may go on"})
    eventually(lambda: state(cluster, namespace)["unpromoted"] == 0, "the breaker to close")
    patch(cluster, namespace, orders={"approve": held["version"]})
    version = eventually(lambda: champion(cluster, namespace, 2), "what was approved")
    assert version == held["version"]
    taking = eventually(lambda: canaries(cluster, namespace), "it to take over")
    assert taking[0]["predictor"]["annotations"] == {BUNDLE: version}
    assert served(cluster, namespace) == stable, "until there are pods"


def canaries(cluster, namespace: str) -> list[dict[str, Any]]:
    found = cluster.objects.get("InferenceService", namespace, "ads-ctr")
    return list(found["spec"].get("canary", ()))


def state(cluster, namespace: str) -> dict[str, Any]:
    return dict(loop(cluster, namespace)["status"]["ledger"]["state"])


def patch(cluster, namespace: str, **spec: Any) -> None:
    content, named = json.dumps({"spec": spec}), ("loop", "ads-ctr", "-n", namespace)
    done = cluster.kubectl("patch", *named, "--type", "merge", "-p", content)
    assert done.returncode == 0, done.stderr


def test_a_loop_at_rest_is_not_written_again(
    cluster, controller, manifest, namespace, runs
) -> None:
    controller("controller", namespace)
    assert cluster.apply(manifest, namespace).returncode == 0
    eventually(lambda: champion(cluster, namespace, 1), "the first champion", 120)
    eventually(lambda: served(cluster, namespace), "the service")
    time.sleep(5)
    before = loop(cluster, namespace)
    time.sleep(6)
    assert loop(cluster, namespace) == before


def test_a_paused_loop_is_left_alone(cluster, controller, manifest, namespace, runs) -> None:
    manifest["spec"]["paused"] = True
    controller("controller", namespace)
    assert cluster.apply(manifest, namespace).returncode == 0
    time.sleep(8)
    assert runs() == []
    assert "ledger" not in loop(cluster, namespace).get("status", {})


def test_a_run_that_fails_ends_its_retraining_with_the_reason(
    cluster, controller, manifest, namespace, store
) -> None:
    manifest["metadata"]["name"] = "no-such-case"
    controller("controller", namespace)
    assert cluster.apply(manifest, namespace).returncode == 0

    def ended() -> Any:
        found = cluster.objects.get("Retraining", namespace, "no-such-case-1")
        return found if found.get("status", {}).get("phase") == "Ended" else None

    found = eventually(ended, "the retraining to end")
    assert found["status"]["verdict"] == "failed"
    assert "a step failed" in found["status"]["reasons"][0]


def test_a_deleted_retraining_takes_its_run_along(
    cluster, controller, manifest, namespace, runs
) -> None:
    controller("controller", namespace)
    assert cluster.apply(manifest, namespace).returncode == 0
    eventually(lambda: [r for r in runs() if r["state"] == "RUNNING"], "the run")
    eventually(
        lambda: phase(cluster, namespace, "ads-ctr-1") == "Running", "the controller to see it"
    )
    done = cluster.kubectl("delete", "rt", "ads-ctr-1", "-n", namespace, "--timeout=60s")
    assert done.returncode == 0, done.stderr
    named = f"{namespace}.ads-ctr-1"
    states = {run["display_name"]: run["state"] for run in runs()}
    assert states[named] in ("CANCELING", "CANCELED")
    events = ("get", "events", "-n", namespace)
    eventually(lambda: "ads-ctr-1 was deleted." in cluster.kubectl(*events).stdout, "the reason")


def phase(cluster, namespace: str, name: str) -> str:
    found = cluster.objects.get("Retraining", namespace, name)
    return str(found.get("status", {}).get("phase", ""))


def test_loops_of_one_name_in_two_namespaces_do_not_see_each_other(
    cluster, controller, manifest, namespace
) -> None:
    """Only the first one's folder of the store holds an archive."""
    other = f"{namespace[:40]}-other"
    assert cluster.kubectl("create", "namespace", other).returncode == 0
    controller("controller", f"{namespace} {other}")
    assert cluster.apply(manifest, namespace).returncode == 0
    eventually(lambda: champion(cluster, namespace, 1), "the first champion", 120)
    assert cluster.apply(manifest, other).returncode == 0

    def ended() -> Any:
        found = cluster.objects.get("Retraining", other, "ads-ctr-1")
        return found if found.get("status", {}).get("phase") == "Ended" else None

    assert eventually(ended, "the other's retraining to end")["status"]["verdict"] == "failed"
    assert champion(cluster, other, 1) == ""
