"""The cohort job of a loop on a cluster: applied when it must be, and told what the ledger says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftloop.adapters.unavailable import Unavailable
from driftloop.loop import LearningLoop
from driftloop.resources.platform import Platform
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.services.controller import schedules
from driftloop.services.controller.cluster import Cluster
from driftloop.services.controller.cluster_loop import ClusterLoop
from driftloop.state import State

NOW = datetime(2026, 1, 10, tzinfo=UTC)
PLATFORM = Platform("driftloop/platform:1", "driftloop/sidecar:1", "s3://b", "http://c/")


class Objects:
    """An API server with one loop; keeps what was applied, and may refuse CronJobs."""

    def __init__(self, content: dict[str, Any], state: State, *, may: bool = True) -> None:
        metadata = {"name": "ads-ctr", "namespace": "ads", "uid": "1", "resourceVersion": "1"}
        status = {"ledger": {"generation": 1, "state": state.model_dump(mode="json")}}
        self.loop = content | {"metadata": metadata, "status": status}
        self.applied: list[dict[str, Any]] = []
        self.may = may

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        assert (kind, namespace, name) == ("LearningLoop", "ads", "ads-ctr")
        return self.loop

    def apply(self, kind: str, namespace: str, content: dict[str, Any]) -> None:
        assert (kind, namespace) == ("CronJob", "ads")
        if not self.may:
            raise Unavailable("forbidden")
        self.applied.append(content)


def shadow() -> State:
    passed = Passed(version="0002-b", retraining=2, data_end=NOW)
    rollout = Progress(passed=passed, stable="0001-a", since=NOW, shadow=True)
    return State(champion="0001-a", number=2, rollout=rollout)


@pytest.fixture
def given(content: dict[str, Any], ads: LearningLoop) -> dict[str, Any]:
    spec = content["spec"] | {"rollout": {"mode": "shadow"}}
    return content | {"spec": spec}


def scheduled(objects: Any, state: State, cluster: Cluster | None = None) -> Cluster:
    cluster = cluster or Cluster(objects, None, None, PLATFORM)
    ClusterLoop(cluster, "ads", "ads-ctr")._schedule(state, NOW)
    return cluster


def order(applied: dict[str, Any]) -> dict[str, Any]:
    (container,) = applied["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    environ = {one["name"]: one["value"] for one in container["env"]}
    assert environ["DRIFTLOOP_STORE"] == "s3://b/ads"
    return json.loads(environ["DRIFTLOOP_ORDER"])


def test_a_shadow_is_allowed_on_a_cluster_and_its_job_is_told(given: dict[str, Any]) -> None:
    objects = Objects(given, shadow())
    scheduled(objects, shadow())
    (applied,) = objects.applied
    told = order(applied)
    assert (told["champion"], told["rollout"]["passed"]["version"]) == ("0001-a", "0002-b")
    assert told["spec"] == given["spec"]
    assert applied["metadata"]["ownerReferences"][0]["kind"] == "LearningLoop"


def test_nothing_is_scheduled_before_there_is_a_champion(given: dict[str, Any]) -> None:
    objects = Objects(given, State())
    scheduled(objects, State())
    assert objects.applied == []


def test_a_loop_at_rest_costs_no_call_and_another_champion_does(given: dict[str, Any]) -> None:
    objects = Objects(given, shadow())
    cluster = scheduled(objects, shadow())
    scheduled(objects, shadow(), cluster)
    assert len(objects.applied) == 1
    scheduled(objects, State(champion="0002-b", number=2), cluster)
    assert [order(one)["champion"] for one in objects.applied] == ["0001-a", "0002-b"]


def test_what_somebody_deleted_comes_again() -> None:
    known, key = schedules.Schedules(), ("ads", "a")
    assert known.is_due(key, {}, NOW)
    assert not known.is_due(key, {}, NOW + schedules.AGAIN - timedelta(seconds=1))
    assert known.is_due(key, {}, NOW + schedules.AGAIN)


def test_without_the_right_all_else_goes_on(
    given: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    objects = Objects(given, shadow(), may=False)
    scheduled(objects, shadow())
    assert "ads/ads-ctr: no cohort job. forbidden" in caplog.text


def test_a_bundle_in_the_shadow_has_no_pod_to_look_at(given: dict[str, Any]) -> None:
    """To look would ask the API server for its predictor's Services: here that would fail."""
    objects = Objects(given, shadow())
    cluster = Cluster(objects, None, None, PLATFORM)
    ClusterLoop(cluster, "ads", "ads-ctr").look(NOW)
    assert objects.applied == []
