"""Predictor, router and children as processes: nothing is lost, slowed or left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pyarrow as pa
import pytest
from backends import backend, switch
from instances import ROW

from driftloop.laptop.children import Child
from driftloop_contracts import event_types, inference_arrow, signature
from driftloop_contracts.errors import RunFailed
from driftloop_contracts.object_store import FileStore

pytestmark = pytest.mark.slow

DRAIN_SECONDS = 15
"""What a predictor gives its last records (server.py)."""


def test_without_a_backend_the_router_says_so(router: str) -> None:
    answer = httpx.post(f"{router}/v1/models/m:predict", json={})
    assert (answer.status_code, "No model" in answer.text) == (503, True)


def test_a_switch_needs_the_token(router: str) -> None:
    assert switch(router, "http://127.0.0.1:1", "v", token="wrong").status_code == 401


def test_a_backend_that_is_gone_is_a_502(router: str) -> None:
    switch(router, "http://127.0.0.1:1", "v")
    assert httpx.post(f"{router}/x", json={}).status_code == 502


def test_a_switch_under_load_drops_no_request(router: str) -> None:
    """Eight callers hammer while the backend changes; after the switch the old one is silent."""
    codes: list[int] = []
    ended = threading.Event()

    def hammer() -> None:
        with httpx.Client() as client:
            while not ended.is_set():
                codes.append(client.post(f"{router}/x", json={}).status_code)

    with backend("old", 0.01) as (old, old_seen), backend("new", 0.01) as (new, new_seen):
        switch(router, old, "1")
        threads = [threading.Thread(target=hammer) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        assert switch(router, new, "2").status_code == 200
        served_by_old = len(old_seen)
        time.sleep(1)
        ended.set()
        for thread in threads:
            thread.join()
    assert set(codes) == {200}
    assert len(codes) == len(old_seen) + len(new_seen)
    assert len(old_seen) == served_by_old > 10
    assert len(new_seen) > 10


def test_a_predictor_that_trusts_another_key_loads_nothing(
    start: Callable[..., Child],
) -> None:
    child = start(DRIFTLOOP_TRUSTED_KEYS=signature.pair()[1])
    with pytest.raises(RunFailed, match="is not signed"):
        child.wait_ready(120)


def test_records_reach_the_sidecar_as_cloudevents(start: Callable[..., Child]) -> None:
    with backend("sidecar") as (url, seen):
        predictor = start(sidecar=url).wait_ready(120)
        httpx.post(
            f"{predictor}/v1/models/ads-ctr:predict", json={"instances": [ROW, ROW]}
        ).raise_for_status()
        _until(lambda: status(predictor)["sent_rows"] == 2)
    told = httpx.get(f"{predictor}/metrics").text
    assert "\ndriftloop_records_total 2.0" in told
    assert '\ndriftloop_records_dropped_total{reason="full"} 0.0' in told
    (received,) = seen
    headers = {name.lower(): value for name, value in received["headers"].items()}
    first, second = pa.ipc.open_stream(received["body"]).read_all().to_pylist()
    assert headers["ce-type"] == event_types.INFERENCE
    assert headers["content-type"] == inference_arrow.CONTENT_TYPE
    assert first["features"]["relevance"] == second["features"]["relevance"] == 0.5
    assert first["entity_keys"] == {"query_id": 1000, "ad_id": 100}
    assert first["prediction_id"] != second["prediction_id"]
    assert (first["seq"], second["seq"]) == (0, 1)


def test_a_sidecar_that_never_answers_slows_no_prediction(start: Callable[..., Child]) -> None:
    """Records wait for it, every caller is answered at once, and the predictor ends in time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        child = start(sidecar=url)
        predictor = child.wait_ready(120)
        with httpx.Client() as client:
            slowest = 0.0
            for _ in range(300):
                began = time.monotonic()
                address = f"{predictor}/v1/models/ads-ctr:predict"
                client.post(address, json={"instances": [ROW]}).raise_for_status()
                slowest = max(slowest, time.monotonic() - began)
        counts = status(predictor)
        began = time.monotonic()
        child.process.terminate()
        child.process.wait(timeout=30)
    assert counts["rows"] == 300
    assert counts["sent_rows"] == 0
    assert slowest < 1.0
    assert time.monotonic() - began < DRAIN_SECONDS + 5


def test_a_flipped_byte_is_not_served(world, start: Callable[..., Child], tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    for key in FileStore(world.folder / "store").list("bundles/"):
        content = bytearray(FileStore(world.folder / "store").get(key))
        if key.endswith("model.skops"):
            content[100] ^= 1
        store.put(key, bytes(content))
    with pytest.raises(RunFailed, match=r"model\.skops is not what its digest says"):
        start(DRIFTLOOP_STORE=str(tmp_path)).wait_ready(120)


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from pathlib import Path;"
        "from driftloop.laptop.children import Child;"
        "environ = {**os.environ, 'DRIFTLOOP_ADMIN_TOKEN': 't', 'DRIFTLOOP_SUPERVISED': '1'};"
        "command = [sys.executable, '-m', 'driftloop.services.router'];"
        "child = Child('router', command, environ, Path(sys.argv[1])); child.wait_ready(60);"
        "print(child.process.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _until(lambda: not psutil.pid_exists(pid))


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environ = {**os.environ, "DRIFTLOOP_ADMIN_TOKEN": "t", "DRIFTLOOP_PORT": port}
        command = [sys.executable, "-m", "driftloop.services.router"]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def status(predictor: str) -> dict[str, int]:
    return httpx.get(f"{predictor}/driftloop/status").json()


def _until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
