"""Driftloop on a real node: images in pods, MinIO, Redis; only KServe and KFP are stood in for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic
from typing import Any

import ads
import httpx
import pytest
import traffic
import yaml
from ads import DRIFT_DAYS, NAMESPACE, QUIET_DAY, Caller, Predictor, Routed
from api_server import ROOT
from given import reached
from installation import Installation
from kfp import Client
from machine import running
from waiting import eventually

from driftloop import usecase
from driftloop.adapters.kfp_runs import KfpRuns
from driftloop.usecase import UseCase

pytestmark = pytest.mark.node

CANARY = {
    "mode": "canary", "steps": ["50%"], "hold": "10s", "requests": 20, "patience": "10m",
    "guardrails": {"latency": "100%"},
}  # fmt: skip


@pytest.fixture(scope="module")
def machine(case: UseCase) -> Iterator[Installation]:
    """A cluster with Driftloop installed and a namespace whose loop has an archive."""
    given = os.environ.get("STANDINS") == "no"
    with reached(NAMESPACE) if given else running("test") as found:
        found.welcome(NAMESPACE)
        traffic.archive(found.store(NAMESPACE), case)
        found.install(DRIFTLOOP_REPLICAS="2-2")
        yield found


@pytest.fixture(scope="module")
def served(machine: Installation, manifest_of_ads: dict[str, Any]) -> float:
    """Apply the loop; return the seconds until its first bundle is ready to predict."""
    return ads.deploy(machine, manifest_of_ads, replicas=2)


@pytest.fixture(scope="module")
def manifest_of_ads(case: UseCase) -> dict[str, Any]:
    content = yaml.safe_load((case.folder / "loop.yaml").read_text())
    content["spec"]["retrain"] |= {"cooldown": "0s", "dailyBudget": 20, "growth": 0}
    content["spec"]["features"] |= ads.ANY_PARITY
    return content


@pytest.fixture(scope="module")
def materialized(machine: Installation, served: float) -> None:
    """Fill Redis through the committed pipeline, as a user would."""
    package = ROOT / "pipelines" / "compiled" / "materialize.yaml"
    runs = KfpRuns(lambda: Client(host=machine.pipelines()), package)
    parameters = {"loop": "ads-ctr", "store": f"{machine.bucket}/{NAMESPACE}"}
    # The requests are of a past day, at which nothing later is known.
    parameters["until"] = ads.moment(QUIET_DAY)
    runs.create(NAMESPACE, "by-hand", machine.images("test")[0], parameters)
    eventually(
        lambda: runs.named(NAMESPACE, "by-hand")[0].state == "succeeded", "materialization", 90
    )


def test_a_loop_is_applied_and_predicts_with_features_from_redis(
    machine: Installation, served: float, materialized: None, case: UseCase, measured: Callable
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
    machine: Installation, served: float, materialized: None, case: UseCase, measured: Callable
) -> None:
    predictor, rows = Predictor(machine), traffic.instances(case, QUIET_DAY)
    began = monotonic()
    with Caller(lambda: predictor.predict(rows[:2])) as caller:
        predictor.send_day(rows, QUIET_DAY)
        shifted = [row | {"category": rows[0]["category"]} for row in rows]
        first, second, last = DRIFT_DAYS
        predictor.send_day(shifted, first)
        # Windows close while nobody can store or receive what comes of them.
        machine.take_store_away()
        machine.kill_pod("driftloop-receiver")
        predictor.send_day(shifted, second)
        machine.bring_store_back()
        predictor.send_day(shifted, last)
        found = eventually(lambda: ads.retraining(machine, "ads-ctr-2"), "the retraining", 120)
        assert "drift" in [cause["kind"] for cause in found["spec"]["causes"]]
        eventually(lambda: len(sources(machine)) == 2, "events of both replicas", 60)
        machine.kill_a_sidecar()
        machine.kill_pod("driftloop-controller")
        machine.crash()
        version = eventually(lambda: ads.champion(machine, "0002-"), "the second champion", 240)
        eventually(lambda: ads.bundles(machine) == {version}, "the old pods to be gone", 180)
        seconds = monotonic() - began
    assert caller.calls > 50
    assert caller.failures == []
    assert predictor.predict(rows[:1])["bundle_version"] == version
    assert ads.retrainings(machine) == ["ads-ctr-1", "ads-ctr-2"]
    assert machine.store(NAMESPACE).list("inference/ads-ctr/")
    assert seconds < 300
    measured(f"drifting traffic to the promoted model: {seconds:.0f} s, {caller.calls} calls")


def test_a_person_goes_back_with_kubectl_alone_and_no_call_fails(
    machine: Installation, served: float, materialized: None, case: UseCase, measured: Callable
) -> None:
    predictor, rows = Predictor(machine), traffic.instances(case, QUIET_DAY)[:2]
    newest = ads.champion(machine, "0002-")
    with Caller(lambda: predictor.predict(rows)) as caller:
        began = monotonic()
        ads.patch(machine, orders={"rollback": "previous"})
        version = eventually(lambda: ads.champion(machine, "0001-"), "the champion before", 60)
        eventually(lambda: ads.bundles(machine) == {version}, "the old pods to be gone", 180)
        seconds = monotonic() - began
    assert caller.calls > 20
    assert caller.failures == []
    assert predictor.predict(rows)["bundle_version"] == version
    assert newest in ads.state(machine)["blocked"]
    measured(f"kubectl patch to the bundle before, in all pods: {seconds:.0f} s")


@pytest.fixture(scope="module")
def routed(machine: Installation, served: float, materialized: None) -> Routed:
    """Let bundles come as canaries, once the pods of the champion are such as KServe asks for."""
    if not machine.gateway:
        pytest.skip("There is no gateway to call through: set GATEWAY.")
    ads.patch(machine, rollout=CANARY)
    initializers = ".spec.initContainers[*].name"
    eventually(lambda: len(ads.of_pods(machine, initializers)) == 2, "pods for canaries", 120)
    eventually(lambda: len(ads.of_pods(machine, ".metadata.name")) == 2, "the old pods to go", 120)
    return Routed(machine)


def test_where_bundles_come_as_canaries_going_back_takes_seconds_and_restarts_nothing(
    machine: Installation, routed: Routed, case: UseCase, measured: Callable
) -> None:
    rows = traffic.instances(case, QUIET_DAY)[:2]
    inside = Predictor(machine, "ads-ctr-champion")
    with (
        Caller(lambda: routed.predict(rows)) as caller,
        Caller(lambda: inside.predict(rows)) as within,
    ):
        began = monotonic()
        ads.patch(machine, orders={"rollback": "previous again"})
        version = eventually(lambda: ads.champion(machine, "0002-"), "the champion before", 60)
        eventually(lambda: routed.versions(rows) == {version}, "it to answer alone", 60)
        seconds = monotonic() - began
        pods = set(ads.of_pods(machine, ".metadata.name"))
        eventually(lambda: ads.bundles(machine) == {version}, "the old pods to be gone", 180)
    assert caller.failures == within.failures == []
    assert set(ads.of_pods(machine, ".metadata.name")) <= pods, "nothing started again"
    assert inside.predict(rows)["bundle_version"] == version
    # The bar is 30 s; here two predictors start on two cores beside everything else.
    assert seconds < 60
    measured(f"canaries: kubectl patch to the bundle before alone: {seconds:.0f} s")


def test_a_candidate_takes_over_through_the_gateway_and_no_call_fails(
    machine: Installation, routed: Routed, case: UseCase, measured: Callable
) -> None:
    rows = traffic.instances(case, QUIET_DAY)[:2]
    with Caller(lambda: routed.predict(rows)) as caller:
        candidate, stable = next_candidate(machine)
        eventually(lambda: routed.versions(rows) == {candidate, stable}, "both to answer", 120)
        began = monotonic()
        eventually(lambda: ads.champion(machine, candidate), "the promotion", 180)
        eventually(lambda: routed.versions(rows) == {candidate}, "it to answer alone", 60)
        seconds = monotonic() - began
        eventually(lambda: ads.bundles(machine) == {candidate}, "the old pods to be gone", 180)
    assert caller.failures == []
    measured(f"canaries: half of the traffic to all: {seconds:.0f} s, {caller.calls} calls")


def test_a_bad_candidate_goes_back_and_no_call_fails(
    machine: Installation, routed: Routed, case: UseCase, measured: Callable
) -> None:
    if not hasattr(machine, "throttle"):
        pytest.skip("What runs there is not slowed down.")
    rows = traffic.instances(case, QUIET_DAY)[:2]
    ads.patch(machine, rollout={"hold": "5m"})
    with ExitStack() as stack:
        callers = [stack.enter_context(Caller(lambda: routed.predict(rows))) for _ in range(4)]
        candidate, stable = next_candidate(machine)
        eventually(lambda: routed.versions(rows) == {candidate, stable}, "both to answer", 120)
        machine.throttle(candidate, 0.08)  # of a core; a predictor answers with little
        eventually(lambda: ads.state(machine)["rollout"] is None, "it to be sent back", 240)
        began = monotonic()
        eventually(lambda: routed.versions(rows) == {stable}, "the stable one alone", 60)
        seconds = monotonic() - began
        eventually(lambda: ads.bundles(machine) == {stable}, "its pods to be gone", 180)
    assert [failure for caller in callers for failure in caller.failures] == []
    assert ads.champion(machine, stable)
    assert candidate in ads.state(machine)["blocked"]
    assert seconds < 30
    calls = sum(caller.calls for caller in callers)
    measured(f"canaries: the decision to go back to the stable one: {seconds:.0f} s, {calls} calls")


def test_a_loop_of_classes_is_applied_and_routes_texts(
    machine: Installation, measured: Callable
) -> None:
    """Trained by the same pipeline, served by the same image; what costs less goes to a person."""
    case = usecase.find("support_routing")
    told, seconds = answered(machine, case)
    assert {True, False} == {*told["decided"]}
    measured(f"a loop of classes, kubectl apply to the first answers: {seconds:.0f} s")


def test_a_third_use_case_is_an_image_of_one_folder(machine: Installation) -> None:
    """Built as docs/add-a-use-case.md says, and named by its loop."""
    if not hasattr(machine, "load"):
        pytest.skip("Images are not loaded into a cluster that was given.")
    folder, image = ROOT / "tests" / "third" / "usecases", "driftloop/mail-digits:test"
    platform, _ = machine.images("test")
    command = ["docker", "build", "-f", ROOT / "usecases" / "Dockerfile", "-t", image]
    command += ["--build-arg", f"PLATFORM={platform}", "--build-arg", "USECASE=mail_digits"]
    subprocess.run([*command, folder], check=True, capture_output=True)
    machine.load(image)
    case = usecase.find("mail_digits", {usecase.FOLDER_VARIABLE: str(folder)})
    answered(machine, case, image=image)


def answered(machine: Installation, case: UseCase, **spec: Any) -> tuple[dict[str, Any], float]:
    """Apply a loop of classes in a namespace of its own; return what it answers to a day's rows.

    And the seconds until its first bundle was ready.
    """
    name = case.loop.name
    namespace = f"driftloop-test-{name}"
    machine.welcome(namespace)
    traffic.archive(machine.store(namespace), case)
    manifest = yaml.safe_load((case.folder / "loop.yaml").read_text())
    manifest["spec"] |= spec
    seconds = ads.deploy(machine, manifest, replicas=2, namespace=namespace)
    url = f"{machine.service(namespace, f'{name}-predictor')}/v1/models/{name}:predict"
    asked = {"instances": traffic.instances(case, 2)[:200]}
    answer = httpx.post(url, json=asked, timeout=30)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert 2 < len({*told["classes"]}) <= len(case.loop.spec.objective.classes)
    assert {*told["classes"]} <= {*case.loop.spec.objective.classes}
    # A node of two cores is not to carry it through the tests to come.
    machine.must("delete", "loop", name, "-n", namespace, "--timeout=60s")
    return told, seconds


def next_candidate(machine: Installation) -> tuple[str, str]:
    """Let the model grow old; return the bundle on its way into service, and the one there."""
    ads.patch(machine, retrain={"maxAge": "20s"})
    eventually(lambda: ads.state(machine)["running"], "a retraining", 60)
    # Or the next one would wait for the end of this rollout.
    ads.patch(machine, retrain={"maxAge": "60d"})
    found = eventually(lambda: ads.state(machine).get("rollout"), "a candidate", 180)
    return found["passed"]["version"], found["stable"]


def sources(machine: Installation) -> set[str]:
    """Return whose events were received."""
    events = machine.objects.list("LoopEvent", NAMESPACE)
    return {event["spec"]["event"]["source"] for event in events}
