"""A logged period scored again says what the sidecar said."""

import json
import subprocess
import sys

import pytest
from starlette.testclient import TestClient

from drift_sidecar import replay
from drift_sidecar.app import create_app
from drift_sidecar.process import create_intake, create_monitor
from drift_sidecar.settings import Settings
from driftloop_contracts.errors import InvalidInput


@pytest.fixture
def told(given, store, tmp_path):
    """Return the events of a sidecar that saw a quiet hour, a moved one, and a few rows more."""
    settings = Settings(store.uri, given.loop, given.version, spool=str(tmp_path / "spool"))
    monitor = create_monitor(settings)
    client = TestClient(create_app(monitor, create_intake(monitor, settings)))
    for number, (hour, rows, shift) in enumerate([(0.5, 300, 0.0), (1.5, 300, 1.0), (2.5, 9, 0.0)]):
        headers, body = given.batch(rows, hour, 1000 * number, shift=shift).to_http()
        assert client.post("/", content=body, headers=headers).status_code == 202
    headers, body = given.watermark(3).to_http()
    return client.post("/", content=body, headers=headers).json()["events"]


def replayed(given, store, capsys, *more):
    log = str(store.root / "inference")
    arguments = [log, "--bundle", given.version, "--store", store.uri, "--loop", given.loop, *more]
    assert replay.main(arguments, {}) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_same_windows_get_the_same_verdicts(told, given, store, capsys):
    found = replayed(given, store, capsys)
    assert [event["id"] for event in found] == [event["id"] for event in told]
    assert [event["type"] for event in found].count("io.driftloop.drift.detected.v1") == 1
    for one, other in zip(found, told, strict=True):
        for mine, theirs in zip(
            one["data"].get("features", []), other["data"].get("features", []), strict=True
        ):
            assert mine == theirs


def test_a_folder_without_a_log_is_refused(given, store, tmp_path):
    arguments = [str(tmp_path / "none"), "--bundle", given.version, "--loop", given.loop]
    with pytest.raises(InvalidInput, match="parquet files"):
        replay.main([*arguments, "--store", store.uri], {})


def test_what_is_no_parquet_is_told_by_name(given, store, tmp_path):
    (tmp_path / "odd.parquet").write_bytes(b"text")
    arguments = [str(tmp_path), "--bundle", given.version, "--loop", given.loop]
    with pytest.raises(InvalidInput, match=r"odd\.parquet"):
        replay.main([*arguments, "--store", store.uri], {})


def test_the_command_says_in_one_sentence_what_it_lacks(given):
    command = [sys.executable, "-m", "drift_sidecar", "replay", ".", "--bundle", given.version]
    ended = subprocess.run(command, capture_output=True, text=True, env={"PATH": ""})
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines() == [
        "--store in the command must be given, or set in the environment. Got ''."
    ]
