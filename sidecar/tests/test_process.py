"""The process as its parent sees it: one ready line, events at a real sink, an orderly end."""

import json
import os
import signal
import subprocess
import sys

import pytest
import urllib3

from drift_sidecar import manners
from driftloop_contracts import event_types
from driftloop_contracts.object_store import FileStore


@pytest.fixture
def start(store, given):
    """Return a function that starts a sidecar; every one is ended after the test."""
    children = []

    def started(**changes):
        environ = {
            "PATH": os.environ["PATH"],
            "DRIFTLOOP_STORE": store.uri,
            "DRIFTLOOP_LOOP": given.loop,
            "DRIFTLOOP_BUNDLE": given.version,
            "DRIFTLOOP_SUPERVISED": "1",
        }
        pipe = subprocess.PIPE
        child = subprocess.Popen(
            [sys.executable, "-m", "drift_sidecar"],
            env=environ | changes,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        children.append(child)
        return child

    yield started
    for child in children:
        with child:  # closes its pipes and waits for it
            child.kill()


def port_of(child):
    line = json.loads(child.stdout.readline())
    assert line["ready"] is True
    return line["port"]


def post(port, event):
    headers, body = event.to_http()
    address = f"http://127.0.0.1:{port}/"
    return urllib3.request("POST", address, body=body, headers=headers, retries=False).status


def test_drift_reaches_the_sink_and_the_end_of_input_ends_it(start, make_sink, store, given):
    sink = make_sink()
    child = start(DRIFTLOOP_SINK=sink.address)
    port = port_of(child)
    assert post(port, given.batch(300, 0.5, shift=2.0)) == 202
    assert post(port, given.watermark(1)) == 200
    assert sink.types == [event_types.WINDOW_SCORED, event_types.DRIFT_DETECTED]
    assert post(port, given.batch(20, 1.5, seq=300)) == 202
    child.stdin.close()
    assert child.wait(timeout=20) == 0
    assert child.stdout.read() == ""
    assert [key.rpartition("pod-1-")[2] for key in store.list("inference/")] == [
        "0.parquet",
        "300-1.parquet",
    ]


def test_a_standby_takes_its_bundle_from_input_and_sigterm_ends_it(start, store, given):
    child = start(DRIFTLOOP_BUNDLE="")
    child.stdin.write(json.dumps({"bundle": given.version}) + "\n")
    child.stdin.flush()
    assert post(port_of(child), given.batch(20, 0.5)) == 202
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=20) == 0
    assert len(store.list("inference/")) == 1


def test_the_predictor_beside_it_goes_first(start):
    child = start()
    port_of(child)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert os.getpriority(os.PRIO_PROCESS, child.pid) == min(19, own + manners.NICE)


def test_a_standby_whose_parent_is_gone_ends(start):
    child = start(DRIFTLOOP_BUNDLE="")
    child.stdin.close()
    assert child.wait(timeout=30) == 0


@pytest.mark.parametrize("line", ["0001-abcdef12", "[]", '{"bundle": "../0001"}'])
def test_a_standby_refuses_a_first_line_that_names_no_bundle(start, line):
    child = start(DRIFTLOOP_BUNDLE="")
    out, said = child.communicate(f"{line}\n", timeout=30)
    assert (child.returncode, out, len(said.strip().splitlines())) == (2, "", 1)


def test_an_altered_bundle_ends_it_with_one_sentence(start, store: FileStore, given):
    store.put(f"bundles/{given.loop}/{given.version}/model.skops", b"another")
    _, said = start().communicate(timeout=30)
    assert said.strip().splitlines() == [
        f"Bundle {given.version}: model.skops is not what its digest says."
    ]


@pytest.mark.parametrize(
    "changes", [{"DRIFTLOOP_BUNDLE": "0009"}, {"DRIFTLOOP_PORT": "x"}, {"DRIFTLOOP_LOOP": ""}]
)
def test_what_it_cannot_use_is_exit_code_2(start, changes):
    child = start(**changes)
    out, said = child.communicate(timeout=30)
    assert (child.returncode, out, len(said.strip().splitlines())) == (2, "", 1)


def test_a_port_in_use_is_exit_code_2(start, make_sink):
    port = make_sink().server.server_address[1]
    child = start(DRIFTLOOP_PORT=str(port))
    _, said = child.communicate(timeout=30)
    assert child.returncode == 2
    assert "free to listen on" in said
