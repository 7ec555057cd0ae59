"""What the API server accepts, refuses and shows of Driftloop's resources."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

WRONG = [
    (("drift", "window", "duration"), "1", "must be a duration with its unit"),
    (("training", "holdout"), "0.2", "must be a percentage from '0%' to '100%'"),
    (("drift", "falseAlarms"), "once", "must be a count per duration"),
    (("drift", "minEffect"), 1.0, "should be less than 1"),
    (("gate", "resamples"), 5, "should be greater than or equal to 100"),
    (("objective", "direction"), "sideways", "Unsupported value"),
    (("features", "columns"), [], "should have at least 1 items"),
    (("retrain", "colldown"), "2d", "unknown field"),
]


@pytest.mark.parametrize(("path", "value", "says"), WRONG, ids=lambda value: str(value)[:20])
def test_a_wrong_field_is_refused_and_named(cluster, manifest, path, value, says) -> None:
    node = manifest["spec"]
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = value
    done = cluster.apply(manifest)
    assert done.returncode != 0
    assert says in done.stderr
    assert path[-1] in done.stderr


def test_two_columns_of_one_name_are_refused(cluster, manifest) -> None:
    columns = manifest["spec"]["features"]["columns"]
    columns.append(copy.deepcopy(columns[0]))
    assert "Duplicate value" in cluster.apply(manifest).stderr


def test_a_name_that_cannot_prefix_others_is_refused(cluster, manifest) -> None:
    manifest["metadata"]["name"] = "9ads"
    assert "begin with a letter" in cluster.apply(manifest).stderr


def test_a_loop_is_listed_and_gets_its_defaults(cluster, manifest, namespace) -> None:
    del manifest["spec"]["retrain"]["onDrift"]
    done = cluster.apply(manifest, namespace)
    assert done.returncode == 0, done.stderr
    found = cluster.objects.get("LearningLoop", namespace, "ads-ctr")
    assert found["spec"]["retrain"]["onDrift"] == "retrain"
    assert found["spec"]["paused"] is False
    listed = cluster.kubectl("get", "loops", "-n", namespace)
    assert listed.stdout.split()[:5] == ["NAME", "STAGE", "CHAMPION", "DRIFT", "LAST-RETRAIN"]
    both = cluster.kubectl("get", "driftloop", "-n", namespace, "-o", "name").stdout
    assert both.strip() == "learningloop.driftloop.io/ads-ctr"
    told = cluster.kubectl("explain", "loop.spec.drift.falseAlarms").stdout
    assert "falseAlarms" in told


def test_what_was_decided_cannot_be_changed(cluster, namespace) -> None:
    spec: dict[str, Any] = {"loop": "ads-ctr", "number": 1, "cutoff": "2026-01-01T00:00:00Z"}
    content = {
        "apiVersion": "driftloop.io/v1alpha1",
        "kind": "Retraining",
        "metadata": {"name": "ads-ctr-1"},
        "spec": spec | {"causes": [{"kind": "initial"}]},
    }
    assert cluster.apply(content, namespace).returncode == 0
    content["spec"]["number"] = 2
    assert "it is what was decided" in cluster.apply(content, namespace).stderr
    listed = cluster.kubectl("get", "retrainings", "-n", namespace, "-o", "json").stdout
    assert [item["spec"]["number"] for item in json.loads(listed)["items"]] == [1]
