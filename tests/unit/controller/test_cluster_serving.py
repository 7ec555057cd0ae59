"""What serves a loop on an API server that refuses stale writes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from driftloop.adapters.kubernetes_ledger import KubernetesLedger
from driftloop.adapters.kubernetes_objects import Absent, Stale
from driftloop.ledger import Entry
from driftloop.resources import lineup as lineups
from driftloop.resources.lineup import Canary
from driftloop.resources.platform import Platform
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.services.controller.cluster import Cluster
from driftloop.services.controller.cluster_loop import ClusterLoop
from driftloop.state import State

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PLATFORM = Platform("platform", "sidecar", "s3://b", "http://c", replicas=(2, 4))
ONE, TWO = "0001-a", "0002-b"
POLICY = {"mode": "canary", "steps": ["25%", "50%"], "hold": "30m"}


class Server:
    """Objects by kind and name; a write over a version that is gone is refused."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.before_apply: list[Callable[[], Any]] = []
        self.applied: list[tuple[str, str]] = []
        self.version = 0

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        if (kind, name) not in self.stored:
            raise Absent(name)
        return copy.deepcopy(self.stored[kind, name])

    def list(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        return [
            one
            for (own, _), one in self.stored.items()
            if own == kind and selector in one["metadata"].get("labels", ())
        ]

    def put(self, kind: str, name: str, content: dict[str, Any]) -> None:
        self.version += 1
        metadata = {"name": name, "resourceVersion": str(self.version)}
        metadata = content.get("metadata", {}) | metadata
        self.stored[kind, name] = copy.deepcopy(content | {"metadata": metadata})

    def apply(self, kind: str, namespace: str, content: dict[str, Any]) -> dict[str, Any]:
        if kind == "InferenceService" and self.before_apply:
            self.before_apply.pop()()
        self.applied.append((kind, content["metadata"]["name"]))
        name = content["metadata"]["name"]
        based, live = content["metadata"].get("resourceVersion"), self.stored.get((kind, name))
        if based and live and based != live["metadata"]["resourceVersion"]:
            raise Stale(name)
        if live is None or live | {"metadata": {}} != content | {"metadata": {}}:
            self.put(kind, name, content)  # as it is, it keeps its version
        return self.stored[kind, name]

    def replace_status(self, kind: str, namespace: str, content: dict[str, Any]) -> dict[str, Any]:
        return self.apply(kind, namespace, content)


@pytest.fixture
def server(content: dict[str, Any]) -> Server:
    found = Server()
    metadata = content["metadata"] | {"namespace": "default", "uid": "u"}
    spec = content["spec"] | {"rollout": POLICY}
    found.put("LearningLoop", "ads-ctr", content | {"metadata": metadata, "spec": spec})
    return found


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return Cluster(server, None, None, PLATFORM, ask=lambda _: [])


def loop(cluster: Cluster) -> ClusterLoop:
    return ClusterLoop(cluster, "default", "ads-ctr")


def decided(server: Server, state: State) -> None:
    ledger = KubernetesLedger(server, "default", "ads-ctr")
    _, generation = ledger.state("ads-ctr")
    ledger.record("ads-ctr", generation, state, Entry("x", NOW, ("why",)))


def on_its_way(step: int = 0) -> State:
    passed = Passed(version=TWO, retraining=2, data_end=NOW)
    progress = Progress(passed=passed, stable=ONE, since=NOW, step=step)
    return State(champion=ONE, number=2, rollout=progress)


def lineup(server: Server) -> lineups.Lineup:
    return lineups.read(server.stored["InferenceService", "ads-ctr"])


def ready(server: Server, name: str, pods: int) -> None:
    status = {"observedGeneration": 1, "availableReplicas": pods, "updatedReplicas": pods}
    status["conditions"] = [{"type": "Available", "status": "True"}]
    deployment = lineups.deployment("ads-ctr", name)
    content = {"metadata": {"generation": 1}, "spec": {"replicas": pods}, "status": status}
    server.put("Deployment", deployment, content)


def routed(server: Server, **percent: int) -> None:
    backends = [
        {"name": lineups.deployment("ads-ctr", name), "weight": weight}
        for name, weight in percent.items()
    ]
    spec = {"rules": [{"backendRefs": backends}]}
    server.put("HTTPRoute", "ads-ctr", {"metadata": {"generation": 1}, "spec": spec})


def test_a_champion_gets_a_predictor_of_its_own_name(server: Server, cluster: Cluster) -> None:
    decided(server, State(champion=ONE))
    loop(cluster).serve()
    assert lineup(server) == lineups.Lineup("blue", ONE, (2, 4))
    assert ("Service", "ads-ctr-champion") in server.stored
    assert ("PodDisruptionBudget", "ads-ctr") in server.stored
    assert cluster.unsettled.due() == []


def test_a_candidate_is_brought_to_its_share_and_then_into_service(
    server: Server, cluster: Cluster
) -> None:
    decided(server, State(champion=ONE))
    loop(cluster).serve()
    ready(server, "blue", 2)
    routed(server, blue=100)
    decided(server, on_its_way())
    loop(cluster).serve()
    assert lineup(server).canary == Canary("green", TWO, 0, 1)
    assert cluster.unsettled.due() == [("default", "ads-ctr")]
    ready(server, "green", 1)
    loop(cluster).serve()
    assert lineup(server).canary == Canary("green", TWO, 25, 1)
    assert cluster.unsettled.due() == []
    decided(server, on_its_way(step=1))
    loop(cluster).serve()
    assert lineup(server).canary == Canary("green", TWO, 50, 1)
    decided(server, State(champion=TWO))
    loop(cluster).serve()
    ready(server, "green", 2)
    for blue, green in ((50, 50), (0, 100)):
        routed(server, blue=blue, green=green)
        loop(cluster).serve()
        assert lineup(server).name == "blue"
    loop(cluster).serve()
    assert lineup(server) == lineups.Lineup("green", TWO, (2, 4))
    service = server.stored["Service", "ads-ctr-champion"]
    assert service["spec"]["selector"] == {"app": "isvc.ads-ctr-green-predictor"}


def test_a_step_decided_on_what_is_gone_is_not_written(server: Server, cluster: Cluster) -> None:
    decided(server, State(champion=ONE))
    loop(cluster).serve()
    routed(server, blue=100)
    decided(server, on_its_way())

    def other() -> None:
        loop(cluster).serve()

    server.before_apply.append(other)
    with pytest.raises(Stale):
        loop(cluster).serve()
    assert lineup(server).canary == Canary("green", TWO, 0, 1)


def test_a_service_of_somebody_else_is_left_alone_and_holds_nothing_up(
    server: Server, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    server.put("Service", "ads-ctr-champion", {"spec": {"selector": {"app": "theirs"}}})
    decided(server, State(champion=ONE))
    loop(cluster).serve()
    assert "ads-ctr-champion" in caplog.text
    assert lineup(server).version == ONE
    assert server.stored["Service", "ads-ctr-champion"]["spec"]["selector"] == {"app": "theirs"}


def test_a_loop_whose_pods_keep_their_name_needs_no_service(
    server: Server, cluster: Cluster
) -> None:
    server.stored["LearningLoop", "ads-ctr"]["spec"]["rollout"] = {"mode": "direct"}
    decided(server, State(champion=ONE))
    loop(cluster).serve()
    assert lineup(server).name == ""
    assert not [name for kind, name in server.applied if kind == "Service"]


def test_a_pin_leaves_no_room_for_a_candidate(server: Server, cluster: Cluster) -> None:
    server.stored["LearningLoop", "ads-ctr"]["spec"]["pin"] = "0007-g"
    decided(server, on_its_way())
    loop(cluster).serve()
    assert lineup(server) == lineups.Lineup("blue", "0007-g", (2, 4))


def test_a_paused_loop_stands_still(server: Server, cluster: Cluster) -> None:
    decided(server, State(champion=ONE))
    server.stored["LearningLoop", "ads-ctr"]["spec"]["paused"] = True
    loop(cluster).serve()
    assert ("InferenceService", "ads-ctr") not in server.stored


def progress(server: Server) -> Progress:
    state, _ = KubernetesLedger(server, "default", "ads-ctr").state("ads-ctr")
    assert state.rollout
    return state.rollout


def test_a_candidate_that_has_yet_to_start_is_not_silent(server: Server, cluster: Cluster) -> None:
    decided(server, on_its_way())
    for _ in range(5):
        loop(cluster).look(NOW)
    assert (progress(server).looked, progress(server).silent) == (False, 0)


def test_pods_of_both_bundles_are_asked_where_they_are_ready(server: Server) -> None:
    asked: list[str] = []

    def ask(addresses: Sequence[str]) -> list[bytes]:
        asked.extend(addresses)
        told = {"run": "1", "answered": {"requests": 7, "failed": 0}}
        names = (address.strip("[]").replace("]", "") for address in addresses)
        return [json.dumps(told | {"pod_uid": name}).encode() for name in names]

    cluster = Cluster(server, None, None, PLATFORM, ask=ask)
    decided(server, on_its_way())
    loop(cluster).serve()
    routed(server, blue=100)
    loop(cluster).serve()
    for name, address in (("blue", "10.0.0.1"), ("green", "fd00::2")):
        label = f"kubernetes.io/service-name={lineups.deployment('ads-ctr', name)}"
        points = [
            {"addresses": [address], "conditions": {"ready": True}},
            {"addresses": ["10.9.9.9"], "conditions": {"ready": False}},
        ]
        server.put("EndpointSlice", name, {"metadata": {"labels": [label]}, "endpoints": points})
    loop(cluster).look(NOW)
    assert progress(server).looked
    candidate, stable = progress(server).seen
    assert set(candidate.arms) == {"fd00::2:8080/1"}
    assert set(stable.arms) == {"10.0.0.1:8080/1"}
    assert set(asked) == {"[fd00::2]:8080", "10.0.0.1:8080"}
