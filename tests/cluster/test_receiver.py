"""The receiver as its own ServiceAccount on a real API server: who may say what, how often."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_server import ROOT, Cluster
from waiting import eventually

from driftloop.services.receiver import app
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent

SYSTEM = "driftloop-system"
SENDER = "driftloop-predictor"


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Cluster:
    done = cluster.kubectl("apply", "-k", str(ROOT / "manifests" / "base"))
    assert done.returncode == 0, done.stderr
    return cluster


def token(cluster: Cluster, namespace: str, account: str, *audience: str) -> str:
    wanted = [f"--audience={name}" for name in audience]
    done = cluster.kubectl("create", "token", account, "-n", namespace, *wanted)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def kubeconfig(cluster: Cluster, account: str, path: Path) -> str:
    """Write the kubeconfig of a ServiceAccount of Driftloop's own."""
    content = json.loads((cluster.folder / "admin.conf").read_text())
    content["users"] = [{"name": "admin", "user": {"token": token(cluster, SYSTEM, account)}}]
    path.write_text(json.dumps(content))
    return str(path)


@pytest.fixture
def send(
    installed: Cluster, start: Callable[..., Any], tmp_path: Path
) -> Callable[..., httpx.Response]:
    """Start a receiver and return what POSTs to it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    config = kubeconfig(installed, "driftloop-receiver", tmp_path / "receiver.conf")
    environ = {"KUBECONFIG": config, "DRIFTLOOP_PORT": port, "DRIFTLOOP_HOST": "127.0.0.1"}
    start("receiver", "-m", "driftloop.services.receiver", **environ)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=40)

    def post(event: CloudEvent, bearer: str, **changed: Any) -> httpx.Response:
        headers, body = event.to_http()
        headers |= {"authorization": f"Bearer {bearer}"} if bearer else {}
        return client.post("/", content=changed.get("body", body), headers=headers)

    post.client = client
    eventually(lambda: client.get("/healthz").status_code == 200, "the receiver")
    return post


@pytest.fixture
def loops(installed: Cluster, namespace: str, manifest: dict[str, Any]) -> str:
    """A namespace with the loop ads-ctr, paused, and its predictor's ServiceAccount."""
    manifest["spec"]["paused"] = True
    assert installed.apply(manifest, namespace).returncode == 0
    assert installed.kubectl("create", "sa", SENDER, "-n", namespace).returncode == 0
    return namespace


def event(**changed: Any) -> CloudEvent:
    now = datetime.now(UTC)
    given = {"id": "1", "source": "/driftloop/ads-ctr/sidecar/pod-1", "time": now}
    return CloudEvent(**given | {"type": event_types.WINDOW_SCORED, "data": {}} | changed)


def kept(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    return cluster.objects.list("LoopEvent", namespace)


def test_an_event_is_kept_once_however_often_it_is_sent(installed, send, loops) -> None:
    bearer = token(installed, loops, SENDER, "driftloop")
    assert [send(event(), bearer).status_code for _ in range(3)] == [202] * 3
    (found,) = kept(installed, loops)
    assert found["spec"]["event"]["id"] == "1"
    assert found["metadata"]["ownerReferences"][0]["kind"] == "LearningLoop"


def test_whoever_is_not_the_loops_own_sidecar_is_refused(installed, send, loops) -> None:
    other = "elsewhere-" + loops[:40]
    assert installed.kubectl("create", "namespace", other).returncode == 0
    for name in (SENDER, "somebody"):
        assert installed.kubectl("create", "sa", name, "-n", other).returncode == 0
    good = token(installed, loops, SENDER, "driftloop")
    refused = {
        "no token": send(event(), ""),
        "forged": send(event(), good[:-6] + "AAAAAA"),
        "made for the API server": send(event(), token(installed, loops, SENDER)),
        "another account": send(event(), token(installed, other, "somebody", "driftloop")),
        "another namespace": send(event(), token(installed, other, SENDER, "driftloop")),
    }
    assert {why: answer.status_code for why, answer in refused.items()} == {
        "no token": 401,
        "forged": 401,
        "made for the API server": 401,
        "another account": 403,
        "another namespace": 404,
    }
    assert kept(installed, loops) == kept(installed, other) == []
    counted = send.client.get("/metrics").text
    assert 'driftloop_receiver_events_total{outcome="token"} 3.0' in counted
    assert 'driftloop_receiver_events_total{outcome="forbidden"} 1.0' in counted


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"source": "/driftloop/ads-ctr/controller"}, 400, "source in a CloudEvent"),
        ({"source": "/driftloop/other/sidecar"}, 404, "no LearningLoop other"),
        ({"type": event_types.ROLLOUT_PROMOTED}, 400, "type in a CloudEvent"),
        ({"type": event_types.SHADOW_JUDGED}, 400, "type in a CloudEvent"),
        ({"source": "/driftloop/ads-ctr/cohort"}, 400, "source in a CloudEvent"),
        ({"time": datetime.now(UTC) - timedelta(days=15)}, 400, "at most 14 days ago"),
        ({"time": datetime.now(UTC) + timedelta(hours=1)}, 400, "not to come"),
        ({"data": {"loop": "other"}}, 400, "data.loop"),
        ({"data": {"text": "x" * app.MAX_BODY}}, 413, "at most 262144 bytes"),
    ],
)
def test_what_a_sidecar_has_no_business_to_say_is_refused(
    installed, send, loops, changed, status, says
) -> None:
    answer = send(event(**changed), token(installed, loops, SENDER, "driftloop"))
    assert (answer.status_code, says in answer.json()["error"]) == (status, True)
    assert kept(installed, loops) == []


def test_a_body_that_is_no_event_is_refused_with_a_sentence(installed, send, loops) -> None:
    bearer = token(installed, loops, SENDER, "driftloop")
    for body in (b"", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}'):
        answer = send(event(), bearer, body=body)
        assert answer.status_code == 400
        assert answer.json()["error"].endswith(".")


def test_a_namespace_that_sends_too_much_is_held_back(installed, send, loops) -> None:
    bearer = token(installed, loops, SENDER, "driftloop")
    late = event(time=datetime(2020, 1, 1, tzinfo=UTC))
    answers = [send(late, bearer) for _ in range(app.BURST + 50)]
    held = [answer for answer in answers if answer.status_code == 429]
    assert held
    assert held[0].headers["retry-after"]


def test_while_the_api_server_is_away_senders_are_told_to_come_back(installed, send, loops) -> None:
    bearer = token(installed, loops, SENDER, "driftloop")
    installed.stop()
    try:
        assert send(event(), bearer).status_code == 503
    finally:
        installed.go_on()
    eventually(lambda: send(event(), bearer).status_code == 202, "the API server")
    assert len(kept(installed, loops)) == 1


DENIED = [
    ("driftloop-receiver", "get", "secrets"),
    ("driftloop-receiver", "list", "loopevents.driftloop.io"),
    ("driftloop-receiver", "patch", "learningloops.driftloop.io"),
    ("driftloop-receiver", "create", "retrainings.driftloop.io"),
    ("driftloop-receiver", "create", "pods"),
    ("driftloop-controller", "get", "secrets"),
    ("driftloop-controller", "create", "pods"),
    ("driftloop-controller", "list", "pods"),
    ("driftloop-controller", "patch", "services"),
    ("driftloop-controller", "create", "loopevents.driftloop.io"),
    ("driftloop-controller", "delete", "inferenceservices.serving.kserve.io"),
    ("driftloop-controller", "delete", "learningloops.driftloop.io"),
    ("driftloop-controller", "create", "clusterrolebindings"),
]


@pytest.mark.parametrize(("account", "verb", "resource"), DENIED)
def test_a_service_may_do_no_more_than_its_work(installed, account, verb, resource) -> None:
    who = f"system:serviceaccount:{SYSTEM}:{account}"
    done = installed.kubectl("auth", "can-i", verb, resource, "--as", who, "-A")
    assert done.stdout.strip() == "no"


@pytest.mark.parametrize(
    ("role", "verb", "resource", "may"),
    [
        ("view", "get", "learningloops.driftloop.io", True),
        ("view", "patch", "learningloops.driftloop.io", False),
        ("edit", "patch", "learningloops.driftloop.io", True),
        ("edit", "create", "loopevents.driftloop.io", False),
        ("edit", "patch", "retrainings.driftloop.io", False),
    ],
)
def test_people_get_their_rights_with_kubernetes_own_roles(
    installed, role, verb, resource, may
) -> None:
    # Aggregation is the controller-manager's work: here the rules are read as it would.
    label = f"rbac.authorization.k8s.io/aggregate-to-{role}=true"
    done = installed.kubectl("get", "clusterroles", "-l", label, "-o", "json")
    rules = [
        rule
        for item in json.loads(done.stdout)["items"]
        if item["metadata"]["name"].startswith("driftloop")
        for rule in item["rules"]
    ]
    name = resource.partition(".")[0]
    assert any(verb in rule["verbs"] and name in rule["resources"] for rule in rules) == may
