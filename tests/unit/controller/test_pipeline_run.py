"""One Retraining's run, on objects that change under its feet."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from driftloop.adapters.kubernetes_objects import Stale
from driftloop.loop import LearningLoop
from driftloop.resources.serving import Platform
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
    """A pipeline server with one run that goes on."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ended: list[str] = []
        self.run = SimpleNamespace(id="r", state="running", message="", url="http://kfp/r")

    def ensure(self, name: str, image: str, parameters: dict[str, str]) -> Any:
        self.asked.append(name)
        return self.run

    def get(self, run_id: str) -> Any:
        return self.run

    def find(self, name: str) -> Any:
        return self.run

    def end(self, run_id: str) -> None:
        self.ended.append(run_id)


@pytest.fixture
def runs() -> Runs:
    return Runs()


def progress(objects: Objects, runs: Runs, loop: LearningLoop, now: datetime = NOW) -> Any:
    platform = Platform("image", "sidecar", "s3://bucket", "http://sink")
    cluster = Cluster(objects, runs, None, platform)
    found = objects.get("Retraining", "ads", "ads-ctr-1")
    return PipelineRun(cluster, loop, {}, found).progress(now)


def test_marks_of_others_on_the_object_do_not_delay_its_start(
    runs: Runs, ads: LearningLoop
) -> None:
    objects = Objects()
    objects.before_write = [objects.change, objects.change]
    assert progress(objects, runs, ads) is None
    assert runs.asked == ["ads.ads-ctr-1"]
    assert (objects.stored["status"]["phase"], objects.stored["status"]["runId"]) == (
        "Running",
        "r",
    )


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


@pytest.mark.parametrize(
    ("status", "ended"),
    [({"phase": "Running"}, ["r"]), ({"phase": "Ended"}, []), ({}, [])],
)
def test_a_deleted_retraining_ends_the_run_that_it_has(
    runs: Runs, status: dict[str, Any], ended: list[str]
) -> None:
    cluster = Cluster(Objects(), runs, None, None)
    pipeline_run.abandon(cluster, Objects(status).stored)
    assert runs.ended == ended


def test_a_run_that_was_cancelled_ends_its_retraining_with_the_reason(
    runs: Runs, ads: LearningLoop
) -> None:
    objects = Objects({"phase": "Running", "runId": "r"})
    runs.run.state, runs.run.message = "cancelled", "by hand"
    found = progress(objects, runs, ads)
    assert (found.verdict, found.reasons) == ("failed", ("Its pipeline run cancelled: by hand.",))
