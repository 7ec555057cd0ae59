"""The cohort job against a real API server, receiver and controller, each as its own account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_server import ROOT, Cluster, free_port
from test_controller import champion, drifted, loop, receive
from test_receiver import kubeconfig, token
from waiting import eventually

from driftloop import parquet
from driftloop.archive import Archive
from driftloop.cohorts import events
from driftloop.decisions import ShadowJudged
from driftloop.rollout.progress import Progress
from driftloop.usecase import UseCase
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.object_store import FileStore

JOB = "ads-ctr-cohort"
DAYS_BACK = 8


@pytest.fixture
def welcome(cluster: Cluster, namespace: str) -> str:
    """A namespace for loops, with Driftloop installed beside it."""
    for arguments in (("-k", "base"), ("-n", namespace, "-k", "namespace")):
        *where, folder = arguments
        done = cluster.kubectl("apply", *where, str(ROOT / "manifests" / folder))
        assert done.returncode == 0, done.stderr
    return namespace


@pytest.fixture
def sink(welcome: str, cluster: Cluster, start: Callable[..., Any], tmp_path: Path) -> str:
    """The address of a receiver."""
    port, config = str(free_port()), kubeconfig(cluster, "driftloop-receiver", tmp_path / "r.conf")
    environ = {"KUBECONFIG": config, "DRIFTLOOP_PORT": port, "DRIFTLOOP_HOST": "127.0.0.1"}
    start("receiver", "-m", "driftloop.services.receiver", **environ)
    address = f"http://127.0.0.1:{port}/"

    def answers() -> bool:
        try:
            return httpx.get(f"{address}healthz").status_code == 200
        except httpx.HTTPError:
            return False

    eventually(answers, "the receiver")
    return address


def state(cluster: Cluster, namespace: str) -> dict[str, Any]:
    return loop(cluster, namespace)["status"]["ledger"]["state"]


def serve(case: UseCase, store: FileStore, namespace: str, version: str) -> None:
    """Log what was archived as asked as if the champion had answered it."""
    own, now = FileStore(Path(store.uri) / namespace), datetime.now(UTC)
    rows = Archive(own, "ads-ctr").requests(now - timedelta(days=DAYS_BACK), now)
    looked_up = [name for name in case.loop.spec.features.names() if name not in rows]
    answered = {"prediction": 0.1, "bundle_version": version}
    rows = rows.assign(**dict.fromkeys(looked_up, float("nan")), **answered)
    for day, part in rows.groupby(rows["event_time"].dt.floor("D")):
        key = f"inference/ads-ctr/date={day:%Y-%m-%d}/hour=00/part.parquet"
        own.put(key, parquet.dump(part.reset_index(drop=True)))


def review(store: FileStore, namespace: str) -> None:
    """Leave what a business review leaves in the store."""
    own = FileStore(Path(store.uri) / namespace)
    source, time = "/driftloop/ads-ctr/review", datetime.now(UTC) - timedelta(hours=1)
    sent = {"loop": "ads-ctr", "from": "business_analysis", "to": "scoping", "rule": "ended",
            "reason": "It earns nothing."}  # fmt: skip
    decided = {"loop": "ads-ctr", "decision": "end", "evidence": ["It earns nothing."]}
    for file, kind, data in (
        ("event.json", event_types.REVIEWED, decided),
        ("returned.json", event_types.STAGE_RETURNED, sent),
    ):
        event = CloudEvent(f"review/x/{file}", source, kind, time, data)
        own.put(f"reviews/ads-ctr/2026-01-01/{file}", event.to_json())


def backdate(cluster: Cluster, namespace: str) -> None:
    """Have the shadow begun days ago, so that there are outcomes by now."""
    since = times.to_text(datetime.now(UTC) - timedelta(days=DAYS_BACK))

    def written() -> bool:
        found = loop(cluster, namespace)
        found["status"]["ledger"]["state"]["rollout"]["since"] = since
        found["status"]["ledger"]["generation"] += 1
        cluster.objects.replace_status("LearningLoop", namespace, found)
        return True

    eventually(written, "the shadow's beginning to be written")


def told(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Return what the job would be told by its CronJob."""
    spec = cluster.objects.get("CronJob", namespace, JOB)["spec"]
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "driftloop.services.cohort"]
    return {one["name"]: one["value"] for one in container["env"]}


def in_shadow(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """Return the rollout that the job is told of, once it began days ago."""
    rollout = json.loads(told(cluster, namespace)["DRIFTLOOP_ORDER"]).get("rollout") or {}
    begun = rollout and times.from_text(rollout["since"]) < datetime.now(UTC) - timedelta(days=1)
    return rollout if begun else {}


def run(
    cluster: Cluster, namespace: str, sink: str, python: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run the job as its pod would."""
    bearer = folder / "token"
    bearer.write_text(token(cluster, namespace, "driftloop-jobs", "driftloop"))
    own = {"DRIFTLOOP_SINK": sink, "DRIFTLOOP_TOKEN_FILE": str(bearer), "OMP_NUM_THREADS": "1"}
    given = {"DRIFTLOOP_USECASES": str(ROOT / "usecases"), "HOME": str(folder)}
    environ = os.environ | told(cluster, namespace) | own | given
    command = [python, "-m", "driftloop.services.cohort"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=400)


def test_outcomes_reach_a_loop_and_bring_a_bundle_out_of_the_shadow(
    cluster, controller, manifest, welcome, sink, store, case, runs, tmp_path, measured
) -> None:
    namespace = welcome
    manifest["spec"]["rollout"] = {
        "mode": "shadow", "hold": "1s", "requests": 500, "patience": "20d"
    }  # fmt: skip
    manifest["spec"]["features"]["maxMismatched"] = "100%"
    config = kubeconfig(cluster, "driftloop-controller", tmp_path / "c.conf")
    controller("controller", namespace, KUBECONFIG=config)
    assert cluster.apply(manifest, namespace).returncode == 0
    first = eventually(lambda: champion(cluster, namespace, 1), "the first champion", 400)
    serve(case, store, namespace, first)
    review(store, namespace)
    receive(cluster, namespace, drifted(first, 6, "/sidecar/a"))
    eventually(lambda: state(cluster, namespace).get("rollout"), "a bundle in the shadow", 400)
    assert state(cluster, namespace)["champion"] == first
    backdate(cluster, namespace)
    rollout = eventually(lambda: in_shadow(cluster, namespace), "the job to be told", 120)

    # A predictor's account may not say what would promote it.
    verdict = ShadowJudged(rollout["passed"]["version"], "promote", ("Mine.",), 1, 0)
    forged = events.judged("ads-ctr", verdict, Progress.model_validate(rollout), datetime.now(UTC))
    headers, body = forged.to_http()
    bearer = token(cluster, namespace, "driftloop-predictor", "driftloop")
    headers |= {"authorization": f"Bearer {bearer}"}
    assert httpx.post(sink, content=body, headers=headers).status_code == 400

    # Two jobs at once, as a CronJob may start: each event is there once.
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        done = list(
            pool.map(lambda folder: run(cluster, namespace, sink, sys.executable, folder), folders)
        )
    assert [one.returncode for one in done] == [0, 0], done[0].stderr + done[1].stderr
    second = eventually(lambda: champion(cluster, namespace, 2), "the promotion", 60)
    assert second == rollout["passed"]["version"]
    found = cluster.objects.list("LoopEvent", namespace)
    kinds = [one["spec"]["event"]["type"] for one in found]
    assert kinds.count(event_types.SHADOW_JUDGED) == 1
    assert kinds.count(event_types.COHORT_SCORED) >= 5
    assert {event_types.REVIEWED, event_types.STAGE_RETURNED} <= set(kinds)
    eventually(
        lambda: all(
            (one.get("status") or {}).get("taken")
            for one in cluster.objects.list("LoopEvent", namespace)
        ),
        "every event to be taken",
        60,
    )
    status = loop(cluster, namespace)["status"]
    assert "ended" in [one["rule"] for one in status["returned"]]
    described = cluster.kubectl("describe", "-n", namespace, "loop", "ads-ctr").stdout
    assert "ShadowJudged" in described
    assert "end: It earns nothing." in described
    again = run(cluster, namespace, sink, sys.executable, folders[0])
    assert '"sent": 0' in again.stdout
    measured(f"cohort job: {kinds.count(event_types.COHORT_SCORED)} cohorts, told once by two jobs")
