"""One Retraining's run, on objects that change under its feet."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftloop.adapters.kfp_runs import Run
from driftloop.adapters.kubernetes_objects import Stale
from driftloop.loop import LearningLoop
from driftloop.resources.platform import Platform
from driftloop.services.controller import pipeline_run
from driftloop.services.controller.cluster import Cluster
from driftloop.services.controller.pipeline_run import CLAIM, PipelineRun

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Objects:
    """One Retraining; ``before_write`` runs before each write, as another client would."""

    def __init__(self, status: dict[str, Any] | None = None) -> None:
        metadata = {"name": "ads-ctr-1", "namespace": "ads", "resourceVersion": "1"}
        cause = {"kind": "initial"}
        spec = {"loop": "ads-ctr", "number": 1, "cutoff": "2026-01-01T00:00:00Z", "causes": [cause]}
        self.stored: dict[str, Any] = {"metadata": metadata, "spec": spec, "status": status or {}}
        self.before_write: list[Any] = []

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        return copy.deepcopy(self.stored)

    def replace_status(self, kind: str, namespace: str, content: dict[str, Any]) -> dict[str, Any]:
        if self.before_write:
            self.before_write.pop(0)()
        if content["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Stale(kind)
        self.change(status=content["status"])
        return copy.deepcopy(self.stored)

    def change(self, **changed: Any) -> None:
        self.stored |= copy.deepcopy(changed)
        version = int(self.stored["metadata"]["resourceVersion"]) + 1
        self.stored["metadata"]["resourceVersion"] = str(version)


class Runs:
    """A pipeline server; ``before_create`` runs before each run, as another client would."""

    def __init__(self, *stored: str) -> None:
        self.stored = [run(name) for name in stored]
        self.asked: list[str] = []
        self.ended: list[str] = []
        self.before_create: list[Any] = []

    def create(self, namespace: str, name: str, image: str, parameters: dict[str, str]) -> Run:
        if self.before_create:
            self.before_create.pop(0)()
        self.asked.append(name)
        self.stored.append(run(f"own-{len(self.asked)}"))
        return self.stored[-1]

    def named(self, namespace: str, name: str) -> list[Run]:
        return list(self.stored)

    def end(self, run_id: str) -> None:
        self.ended.append(run_id)


def run(name: str, state: str = "running", message: str = "") -> Run:
    return Run(name, state, message, f"http://kfp/{name}")


@pytest.fixture
def runs() -> Runs:
    return Runs()


def progress(objects: Objects, runs: Runs, loop: LearningLoop, now: datetime = NOW) -> Any:
    platform = Platform("image", "sidecar", "s3://bucket", "http://sink")
    cluster = Cluster(objects, runs, None, platform)
    found = objects.get("Retraining", "ads", "ads-ctr-1")
    return PipelineRun(cluster, loop, {}, found).progress(now)


class Slots:
    def __init__(self, *free: bool) -> None:
        self.answers = list(free)

    def free(self) -> bool:
        return self.answers.pop(0)


def test_without_a_slot_nothing_starts_and_what_runs_goes_on(runs: Runs, ads: LearningLoop) -> None:
    objects = Objects()
    platform = Platform("image", "sidecar", "s3://bucket", "http://sink")
    cluster = Cluster(objects, runs, None, platform, slots=Slots(False, True))

    def look() -> None:
        found = objects.get("Retraining", "ads", "ads-ctr-1")
        assert PipelineRun(cluster, ads, {}, found).progress(NOW) is None

    look()
    assert (runs.asked, objects.stored["status"]) == ([], {})
    look()
    assert runs.asked == ["ads.ads-ctr-1"]
    look()
    assert objects.stored["status"]["phase"] == "Running", "nobody is asked again for its slot"


def test_marks_of_others_on_the_object_do_not_delay_its_start(
    runs: Runs, ads: LearningLoop
) -> None:
    objects = Objects()
    objects.before_write = [objects.change, objects.change]
    assert progress(objects, runs, ads) is None
    assert runs.asked == ["ads.ads-ctr-1"]
    status = objects.stored["status"]
    assert (status["phase"], status["runId"]) == ("Running", "own-1")


def test_who_loses_the_claim_starts_nothing(runs: Runs, ads: LearningLoop) -> None:
    objects = Objects()
    taken = {"phase": "Starting", "started": "2026-01-01T00:00:00Z"}
    objects.before_write = [lambda: objects.change(status=taken)]
    with pytest.raises(Stale):
        progress(objects, runs, ads)
    assert runs.asked == []


@pytest.mark.parametrize(("age", "asked"), [(CLAIM, []), (CLAIM * 1.1, ["ads.ads-ctr-1"])])
def test_a_claim_ends_with_its_time(
    runs: Runs, ads: LearningLoop, age: timedelta, asked: list[str]
) -> None:
    objects = Objects({"phase": "Starting", "started": "2026-01-01T00:00:00Z"})
    progress(objects, runs, ads, NOW + age)
    assert runs.asked == asked


def test_a_run_that_was_started_before_a_kill_is_taken_up(runs: Runs, ads: LearningLoop) -> None:
    objects = Objects({"phase": "Starting", "started": "2025-12-31T00:00:00Z"})
    runs.stored = [run("earlier")]
    progress(objects, runs, ads)
    assert (runs.asked, objects.stored["status"]["runId"]) == ([], "earlier")


def test_of_two_slow_starters_the_status_has_one_and_the_others_run_is_ended(
    runs: Runs, ads: LearningLoop
) -> None:
    """The first one's claim runs out while its request is under way: both create a run."""
    objects = Objects()
    runs.before_create = [lambda: progress(objects, runs, ads, NOW + CLAIM * 1.1)]
    with pytest.raises(Stale):
        progress(objects, runs, ads)
    assert [found.id for found in runs.stored] == ["own-1", "own-2"]
    assert objects.stored["status"]["runId"] == "own-1"
    assert progress(objects, runs, ads, NOW + CLAIM * 2) is None
    assert runs.ended == ["own-2"]


@pytest.mark.parametrize(
    ("status", "ended"),
    [({"phase": "Running"}, ["r", "s"]), ({"phase": "Ended"}, []), ({}, [])],
)
def test_a_deleted_retraining_ends_the_runs_that_it_has(
    status: dict[str, Any], ended: list[str]
) -> None:
    runs = Runs("r", "s")
    runs.stored.append(run("t", "ending"))
    cluster = Cluster(Objects(), runs, None, None)
    pipeline_run.abandon(cluster, Objects(status).stored)
    assert runs.ended == ended


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ([run("r", "cancelled", "by hand")], "Its pipeline run cancelled: by hand."),
        ([run("other", "succeeded")], "Its pipeline run has vanished."),
    ],
)
def test_a_run_that_came_to_nothing_ends_its_retraining_with_the_reason(
    runs: Runs, ads: LearningLoop, stored: list[Run], reason: str
) -> None:
    objects = Objects({"phase": "Running", "runId": "r"})
    runs.stored = stored
    found = progress(objects, runs, ads)
    assert (found.verdict, found.reasons) == ("failed", (reason,))


def test_a_run_that_is_being_ended_is_waited_for(runs: Runs, ads: LearningLoop) -> None:
    runs.stored = [run("r", "ending")]
    assert progress(Objects({"phase": "Running", "runId": "r"}), runs, ads) is None
