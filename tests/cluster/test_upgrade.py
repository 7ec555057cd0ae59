"""From the last release to this tree, on a real node with a live loop."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import ads
import pytest
import traffic
import yaml
from ads import DRIFT_DAYS, NAMESPACE, QUIET_DAY, Caller, Predictor
from api_server import ROOT
from installation import PLATFORM, SIDECAR, Installation
from machine import running
from waiting import eventually

from driftloop.usecase import UseCase

pytestmark = pytest.mark.node

TAG, COMMIT = "v0.1.0", "e461f3511598a180d18a371e565c58ef2b677ded"
"""The release upgraded from, and its commit for a clone that has no tags."""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release's tree, its images built."""
    folder = tmp_path_factory.mktemp("released")
    archive = git("archive", "--format=tar", TAG) or git("archive", "--format=tar", COMMIT)
    if not archive:
        pytest.skip(f"This clone does not reach back to {TAG}.")
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    for image in (PLATFORM, SIDECAR):
        build = ["docker", "build", "--network=host", "-t", f"{image}:{TAG}"]
        build += ["--target", image.rpartition("/")[2], str(folder)]
        build += ["--build-arg", f"BASE_IMAGE={os.environ['BASE_IMAGE']}"]
        done = subprocess.run(build, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True)
    return done.stdout if done.returncode == 0 else b""


@pytest.fixture(scope="module")
def machine(case: UseCase, released: Path) -> Iterator[Installation]:
    """A node with the release installed and a namespace whose loop has an archive."""
    with running(TAG, "test") as found:
        found.welcome(NAMESPACE, released)
        traffic.archive(found.store(NAMESPACE), case)
        found.install(released, TAG)
        yield found


def test_a_live_loop_is_upgraded_without_a_failed_call_or_a_needless_retraining(
    machine: Installation, released: Path, case: UseCase, measured: Callable
) -> None:
    ads.deploy(machine, manifest_of(released))
    predictor, rows = Predictor(machine), traffic.instances(case, QUIET_DAY)
    first = answer(predictor, rows[:2])
    began = monotonic()
    with Caller(lambda: predictor.predict(rows[:2])) as caller:
        predictor.send_day(rows, QUIET_DAY)
        machine.install()
        new = set(machine.images("test"))
        images = ".spec.containers[*].image"
        eventually(lambda: set(ads.of_pods(machine, images)) == new, "the new pods alone", 400)
        seconds = monotonic() - began
        assert answer(predictor, rows[:2]) == first
        assert ads.retrainings(machine) == ["ads-ctr-1"]
        accept_any_parity(machine)
        for ago in DRIFT_DAYS:
            predictor.send_day([row | {"category": rows[0]["category"]} for row in rows], ago)
        eventually(lambda: ads.champion(machine, "0002-"), "the second champion", 400)
    assert caller.failures == []
    assert ads.retrainings(machine) == ["ads-ctr-1", "ads-ctr-2"]
    measured(f"upgrade from {TAG}: {seconds:.0f} s, {caller.calls} calls, none failed")


def accept_any_parity(machine: Installation) -> None:
    patch = json.dumps({"spec": {"features": ads.ANY_PARITY}})
    loop = ("learningloop", "ads-ctr", "-n", NAMESPACE)
    machine.must("patch", *loop, "--type=merge", "-p", patch)


def answer(predictor: Predictor, rows: list[dict[str, Any]]) -> tuple[Any, str]:
    """What was predicted and by which bundle; the ids are of one call."""
    found = predictor.predict(rows)
    return found["predictions"], found["bundle_version"]


def manifest_of(released: Path) -> dict[str, Any]:
    content = yaml.safe_load((released / "usecases/ads_ctr/loop.yaml").read_text())
    content["spec"]["retrain"] |= {"cooldown": "0s", "dailyBudget": 20, "growth": 0}
    return content
