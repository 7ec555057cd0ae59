"""What a controller on Kubernetes is told."""

from __future__ import annotations

import pytest

from driftloop.services.controller import settings
from driftloop_contracts.errors import InvalidInput

GIVEN = {
    "DRIFTLOOP_IMAGE": "platform",
    "DRIFTLOOP_SIDECAR_IMAGE": "sidecar",
    "DRIFTLOOP_STORE": "s3://bucket",
    "DRIFTLOOP_SINK": "http://driftloop-receiver",
    "DRIFTLOOP_KFP": "http://ml-pipeline:8888",
}


def test_what_is_not_said_has_a_default() -> None:
    found = settings.from_env(GIVEN | {"DRIFTLOOP_NAMESPACES": "ads routing"})
    assert found.namespaces == ("ads", "routing")
    assert found.turn_seconds == 30
    assert found.platform.credentials == "driftloop-credentials"


@pytest.mark.parametrize("text", ["2", "3-2", "0-1", "a-b", "-1-2", ""])
def test_replicas_are_a_range(text: str) -> None:
    with pytest.raises(InvalidInput, match="DRIFTLOOP_REPLICAS"):
        settings.from_env(GIVEN | {"DRIFTLOOP_REPLICAS": text})


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{name} in the environment must be set"):
        settings.from_env({key: value for key, value in GIVEN.items() if key != name})


@pytest.mark.parametrize("seconds", ["soon", "0", "nan", "4000"])
def test_a_turn_takes_from_a_second_to_an_hour(seconds: str) -> None:
    with pytest.raises(InvalidInput, match="from 1 to 3600 seconds"):
        settings.from_env(GIVEN | {"DRIFTLOOP_TURN_SECONDS": seconds})
