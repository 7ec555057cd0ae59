"""Driftloop on a real node: images in pods, MinIO, Redis; only KServe and KFP are stood in for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import ads
import pytest
import traffic
import yaml
from ads import DRIFT_DAYS, NAMESPACE, QUIET_DAY, Caller, Predictor
from api_server import ROOT
from given import reached
from installation import Installation
from kfp import Client
from machine import running
from waiting import eventually

from driftloop.adapters.kfp_runs import KfpRuns
from driftloop.usecase import UseCase

pytestmark = pytest.mark.node


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
    order = json.dumps({"spec": {"orders": {"rollback": "previous"}}})
    with Caller(lambda: predictor.predict(rows)) as caller:
        began = monotonic()
        machine.must("patch", "loop", "ads-ctr", "-n", NAMESPACE, "--type", "merge", "-p", order)
        version = eventually(lambda: ads.champion(machine, "0001-"), "the champion before", 60)
        eventually(lambda: ads.bundles(machine) == {version}, "the old pods to be gone", 180)
        seconds = monotonic() - began
    assert caller.calls > 20
    assert caller.failures == []
    assert predictor.predict(rows)["bundle_version"] == version
    state = machine.objects.get("LearningLoop", NAMESPACE, "ads-ctr")["status"]["ledger"]["state"]
    assert newest in state["blocked"]
    measured(f"kubectl patch to the bundle before, in all pods: {seconds:.0f} s")


def sources(machine: Installation) -> set[str]:
    """Return whose events were received."""
    events = machine.objects.list("LoopEvent", NAMESPACE)
    return {event["spec"]["event"]["source"] for event in events}
