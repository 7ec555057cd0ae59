"""What a loop is rendered to: one bundle a pod, confined, and no request lost in a change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from driftloop.loop import LearningLoop
from driftloop.resources import serving
from driftloop.resources.lineup import BUNDLE, Lineup
from driftloop.resources.platform import Platform

PLATFORM = Platform(
    "driftloop/platform@sha256:1", "driftloop/sidecar@sha256:2", "s3://b", "http://c"
)


def service(ads: LearningLoop, version: str = "1-a", platform: Platform = PLATFORM) -> Any:
    return serving.inference_service(ads, Lineup("", version, platform.replicas), platform)


def containers(ads: LearningLoop, platform: Platform = PLATFORM) -> dict[str, dict[str, Any]]:
    predictor = service(ads, platform=platform)["spec"]["predictor"]
    return {container["name"]: container for container in predictor["containers"]}


def environ(container: dict[str, Any]) -> dict[str, Any]:
    return {e["name"]: e["value"] if "value" in e else e["valueFrom"] for e in container["env"]}


def test_both_containers_read_the_bundle_from_their_pod(ads: LearningLoop) -> None:
    found = service(ads, "0001-abc")
    assert found["spec"]["predictor"]["annotations"] == {BUNDLE: "0001-abc"}
    path = {"fieldRef": {"fieldPath": f"metadata.annotations['{BUNDLE}']"}}
    for container in containers(ads).values():
        assert environ(container)["DRIFTLOOP_BUNDLE"] == path


def test_kserve_finds_the_predictor_where_it_looks_for_it(ads: LearningLoop) -> None:
    """The first container, by that name; with a model it would pull models itself."""
    assert list(containers(ads)) == ["kserve-container", "drift-sidecar"]
    assert "model" not in service(ads)["spec"]["predictor"]


def test_only_the_pod_template_differs_between_two_bundles(ads: LearningLoop) -> None:
    lineups = (Lineup("", version, PLATFORM.replicas) for version in ("1-a", "2-b"))
    first, second = (serving.objects(ads, lineup, PLATFORM) for lineup in lineups)
    assert [a == b for a, b in zip(first, second, strict=True)] == [False, True]


def test_a_new_bundle_comes_up_beside_the_old_one(ads: LearningLoop) -> None:
    predictor = service(ads)["spec"]["predictor"]
    assert predictor["deploymentStrategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert predictor["terminationGracePeriodSeconds"] >= 20


def test_a_pod_is_ready_when_bundle_and_reference_are(ads: LearningLoop) -> None:
    probes = {n: c["readinessProbe"]["httpGet"]["path"] for n, c in containers(ads).items()}
    assert probes == {"kserve-container": "/v2/models/ads-ctr/ready", "drift-sidecar": "/readyz"}


@pytest.mark.parametrize("name", ["kserve-container", "drift-sidecar"])
def test_containers_keep_the_restricted_profile(ads: LearningLoop, name: str) -> None:
    container = containers(ads)[name]
    confined = container["securityContext"]
    assert confined["readOnlyRootFilesystem"]
    assert not confined["allowPrivilegeEscalation"]
    assert confined["capabilities"] == {"drop": ["ALL"]}
    assert {"requests", "limits"} <= set(container["resources"])
    pod = service(ads)["spec"]["predictor"]["securityContext"]
    assert pod["runAsNonRoot"]


def test_keys_come_from_a_secret_and_never_stand_in_the_object(ads: LearningLoop) -> None:
    for container in containers(ads).values():
        assert container["envFrom"] == [
            {"secretRef": {"name": "driftloop-credentials", "optional": True}}
        ]
        assert not [name for name in environ(container) if name.startswith("AWS_")]


def test_a_loop_may_name_its_own_image(ads: LearningLoop) -> None:
    spec = ads.spec.model_copy(update={"image": "team/ads@sha256:3"})
    own = containers(ads.model_copy(update={"spec": spec}))
    assert own["kserve-container"]["image"] == "team/ads@sha256:3"
    assert own["drift-sidecar"]["image"] == PLATFORM.sidecar_image


def test_who_is_trusted_over_tls_is_a_config_map_of_the_namespace(ads: LearningLoop) -> None:
    platform = replace(PLATFORM, authorities="driftloop-ca")
    predictor = service(ads, platform=platform)["spec"]["predictor"]
    assert predictor["volumes"][-1]["configMap"] == {"name": "driftloop-ca"}
    for container in containers(ads, platform).values():
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert environ(container)["SSL_CERT_FILE"] == f"{mounts['authorities']}/ca.crt"
    assert "SSL_CERT_FILE" not in environ(containers(ads)["drift-sidecar"])


def test_only_the_sidecar_has_the_spool_and_its_volume_is_the_larger(ads: LearningLoop) -> None:
    predictor = service(ads)["spec"]["predictor"]
    (volume,) = [v["emptyDir"] for v in predictor["volumes"] if v["name"] == "spool"]
    told = environ(containers(ads)["drift-sidecar"])
    mounts = {
        name: {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for name, container in containers(ads).items()
    }
    assert mounts["drift-sidecar"]["spool"] == told["DRIFTLOOP_SPOOL"]
    assert "spool" not in mounts["kserve-container"]
    assert int(volume["sizeLimit"].removesuffix("Mi")) > int(
        told["DRIFTLOOP_SPOOL_BYTES"].removesuffix("MiB")
    )
