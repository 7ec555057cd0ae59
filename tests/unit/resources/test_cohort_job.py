"""The cohort job: one at a time, as an account without rights, told what it must know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from driftloop.loop import LearningLoop
from driftloop.resources import cohort_job, serving
from driftloop.resources.lineup import Lineup
from driftloop.resources.platform import Platform
from driftloop.services.receiver import __main__ as receiver

PLATFORM = Platform(
    "driftloop/platform@sha256:1", "driftloop/sidecar@sha256:2", "s3://b/ads", "http://c/"
)


@pytest.fixture
def job(ads: LearningLoop) -> dict[str, Any]:
    return cohort_job.cron_job(ads, PLATFORM, '{"champion":"0001-a"}')


def pod(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return found


def test_it_runs_alone_after_each_cohorts_end(job: dict[str, Any]) -> None:
    spec = job["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 1 * * *", "Etc/UTC")
    assert (spec["concurrencyPolicy"], spec["suspend"]) == ("Forbid", False)
    assert job["metadata"]["name"] == "ads-ctr-cohort"


def test_a_paused_loops_job_is_suspended(ads: LearningLoop) -> None:
    paused = ads.model_copy(update={"spec": ads.spec.model_copy(update={"paused": True})})
    assert cohort_job.cron_job(paused, PLATFORM, "{}")["spec"]["suspend"] is True


def test_its_only_token_is_for_the_receiver(job: dict[str, Any]) -> None:
    found = pod(job)
    assert found["automountServiceAccountToken"] is False
    assert found["serviceAccountName"] in receiver._senders({})
    (token,) = [v["projected"] for v in found["volumes"] if "projected" in v]
    assert [s["serviceAccountToken"]["audience"] for s in token["sources"]] == ["driftloop"]


def test_it_is_told_all_that_it_needs(job: dict[str, Any]) -> None:
    (container,) = pod(job)["containers"]
    environ = {one["name"]: one["value"] for one in container["env"]}
    assert environ["DRIFTLOOP_USECASE"] == "ads-ctr"
    assert environ["DRIFTLOOP_STORE"] == "s3://b/ads"
    assert environ["DRIFTLOOP_ORDER"] == '{"champion":"0001-a"}'
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert environ["DRIFTLOOP_TOKEN_FILE"].startswith(f"{mounts['token']}/")
    # Of two Secrets with one key the later one counts.
    secrets = [one["secretRef"]["name"] for one in container["envFrom"]]
    assert secrets == ["driftloop-credentials", "driftloop-jobs"]
    assert not [name for name in environ if name.startswith("AWS_")]


def test_it_is_as_confined_as_a_predictor(job: dict[str, Any]) -> None:
    (container,) = pod(job)["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod(job)["securityContext"]["runAsNonRoot"]
    assert set(container["resources"]) == {"requests", "limits"}


def test_no_budget_counts_its_pods_for_predictors(ads: LearningLoop, job: dict[str, Any]) -> None:
    labels = job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    wanted = serving.disruption_budget(ads)["spec"]["selector"]["matchLabels"]
    assert not wanted.items() <= labels.items()
    selector = serving.champion_service(ads, Lineup("", "1-a", (1, 1)))["spec"]["selector"]
    assert not selector.items() <= labels.items()


def test_it_trusts_whom_the_platform_trusts(ads: LearningLoop) -> None:
    own = replace(PLATFORM, authorities="driftloop-ca")
    found = pod(cohort_job.cron_job(ads, own, "{}"))
    assert found["volumes"][-1]["configMap"] == {"name": "driftloop-ca"}
    assert {m["name"] for m in found["containers"][0]["volumeMounts"]} >= {"authorities", "token"}
