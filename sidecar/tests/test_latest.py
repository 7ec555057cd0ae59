"""What the newest window showed, as Prometheus reads it."""

from __future__ import annotations

import math
import re

import pytest
from starlette.testclient import TestClient

from drift_sidecar import app, latest
from drift_sidecar.process import create_monitor
from drift_sidecar.settings import Settings
from driftloop_contracts import cloudevent
from driftloop_contracts.drift.finding import JOINT_NAME

LINE = re.compile(r'([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+)\} (\S+)')


@pytest.fixture
def client(store, given):
    settings = Settings(store.uri, given.loop, given.version)
    return TestClient(app.create_app(create_monitor(settings)))


def read(text: str) -> dict[tuple[str, str], float]:
    """Return every sample by its name and feature or verdict, as a reader of the format does."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        match = LINE.fullmatch(line)
        assert match, line
        labels = dict(re.findall(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"', match[2]))
        key = labels.get("feature") or labels.get("verdict") or labels.get("reason", "")
        found[match[1], key] = float(match[3])
    return found


def scored(client, given, *batches):
    for batch in batches:
        headers, body = batch.to_http()
        assert client.post("/", content=body, headers=headers).status_code == 202
    headers, body = given.watermark(len(batches)).to_http()
    answer = client.post("/", content=body, headers=headers).json()
    return answer, read(client.get("/metrics").text)


def test_before_a_window_there_are_only_counts(client):
    found = read(client.get("/metrics").text)
    verdicts = {key: value for (name, key), value in found.items() if name == latest.WINDOWS}
    assert verdicts == {"quiet": 0, "shift": 0, "fault": 0}
    assert not any(name == "driftloop_drift_p_value" for name, _ in found)
    assert client.get("/status").json()["window"] is None


def test_each_features_result_is_that_of_the_event(client, given):
    answer, found = scored(client, given, given.batch(400, 0.5))
    data = answer["events"][0]["data"]
    for feature in data["features"]:
        for key in ("statistic", "p_value", "effect"):
            assert found[f"driftloop_drift_{key}", feature["name"]] == pytest.approx(feature[key])
        assert found["driftloop_drift_missing_ratio", feature["name"]] == 0
    assert found["driftloop_drift_window_rows", ""] == 400
    assert found["driftloop_drift_level", ""] == data["level"]
    assert found["driftloop_drift_window_end_timestamp_seconds", ""] == given.at(1).timestamp()
    assert all(math.isfinite(value) for value in found.values())


def test_the_joint_test_is_told_like_a_feature(client, given):
    event = scored(client, given, given.batch(400, 0.5))[0]["events"][0]
    joint = {"z": 4.0, "p_value": 1e-5, "effect": 0.2, "threshold": 0.05, "shift": True}
    newest = latest.Latest()
    newest.note([cloudevent.from_dict(event | {"data": event["data"] | {"joint": joint}})])
    found = read("\n".join(latest.text(newest.status(), 'loop="l"')))
    assert found["driftloop_drift_statistic", JOINT_NAME] == 4.0
    assert found["driftloop_drift_p_value", JOINT_NAME] == 1e-5


def test_windows_are_counted_by_their_verdict(client, given):
    _, found = scored(client, given, given.batch(400, 0.5), given.batch(400, 1.5, 400, shift=3.0))
    assert found[latest.WINDOWS, "quiet"] == 1
    assert found[latest.WINDOWS, "shift"] == 1
    assert found["driftloop_drift_effect", "relevance"] > 1


def test_a_features_name_cannot_break_the_format():
    name = 'a"} 1\nb{c="\\'
    window = {"n": 1, "level": 0.1, "end": 0.0, "features": {name: {"effect": 0.5}}}
    lines = latest.text({"window": window, "verdicts": {}}, 'loop="l"')
    found = read("\n".join(lines))
    assert list(found.values()).count(0.5) == 1
