"""kill -9 at random instants, with a real process, store and sink: nothing is lost or doubled."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
import urllib3
from sidecar_process import seqs


@pytest.fixture
def start(store, given, tmp_path):
    """Return a function that starts a sidecar on one spool; every one is killed at the end."""
    children = []

    def started(**changes):
        environ = {
            "PATH": os.environ["PATH"],
            "DRIFTLOOP_STORE": store.uri,
            "DRIFTLOOP_LOOP": given.loop,
            "DRIFTLOOP_BUNDLE": given.version,
            "DRIFTLOOP_SPOOL": str(tmp_path / "spool"),
        }
        command = [sys.executable, "-m", "drift_sidecar"]
        child = subprocess.Popen(
            command, env=environ | changes, stdout=subprocess.PIPE, stderr=None
        )
        children.append(child)
        child.port = json.loads(child.stdout.readline())["port"]
        return child

    yield started
    for child in children:
        with child:
            child.kill()


def post(child, event):
    headers, body = event.to_http()
    address = f"http://127.0.0.1:{child.port}/"
    try:
        answer = urllib3.request(
            "POST", address, body=body, headers=headers, retries=False, timeout=60
        )
    except urllib3.exceptions.HTTPError:
        return 0
    return answer.status


def status(child):
    return urllib3.request("GET", f"http://127.0.0.1:{child.port}/status").json()


def end(child):
    child.send_signal(signal.SIGTERM)
    return child.wait(timeout=60)


def rows(*firsts):
    return sorted(seq for first in firsts for seq in range(first, first + 60))


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_what_was_acknowledged_is_logged_once_and_scored_once(start, make_sink, store, given, seed):
    """The sender tries again after every kill, and leaves out every seventh batch for good."""
    rng, sink = random.Random(seed), make_sink(*[503] * 3)
    child = start(DRIFTLOOP_SINK=sink.address)
    sent, kills = [], {rng.randrange(1, 40) for _ in range(3)}
    for number in range(40):
        if number in kills:
            delay, victim = rng.uniform(0, 0.05), child
            killer = threading.Timer(delay, victim.kill)
            killer.start()
        if number % 7 != 3:
            event = given.batch(60, number / 8, seq=60 * number)
            while post(child, event) != 202:
                child.wait(timeout=60)
                child = start(DRIFTLOOP_SINK=sink.address)
            sent.append(60 * number)
        if number % 8 == 7:
            while post(child, given.watermark(number // 8 + 1)) != 200:
                child.wait(timeout=60)
                child = start(DRIFTLOOP_SINK=sink.address)
        if number in kills:
            killer.join()
            if child is victim:
                child.wait(timeout=60)
                child = start(DRIFTLOOP_SINK=sink.address)
    deadline = time.monotonic() + 20
    while status(child)["outbox"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status(child)["missing"] == 60 * sum(n % 7 == 3 for n in range(40))
    assert status(child)["dropped"] == {}
    assert end(child) == 0
    assert seqs(store) == rows(*sent)
    scored = {
        h["ce-id"]: body["n"] for h, body in sink.received if h["ce-type"].endswith("scored.v1")
    }
    assert len(scored) == 5
    assert sum(scored.values()) == len(rows(*sent))
    counts = Counter(
        json.dumps(body) for h, body in sink.received if h["ce-type"].endswith("scored.v1")
    )
    assert len(counts) == 5, "a repeated event is the same event"


def test_events_wait_for_a_sink_that_is_away_through_a_kill(start, make_sink, store, given):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/"
    child = start(DRIFTLOOP_SINK=nobody)
    assert post(child, given.batch(60, 0.5)) == 202
    assert post(child, given.batch(60, 2.5, seq=60)) == 202  # the data close the first window
    deadline = time.monotonic() + 20
    while not status(child)["outbox"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert status(child)["outbox"] == 1
    child.kill()
    child.wait()
    sink = make_sink()
    child = start(DRIFTLOOP_SINK=sink.address)
    deadline = time.monotonic() + 20
    while status(child)["outbox"] and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [body["n"] for _, body in sink.received] == [60]


def test_a_store_that_is_away_holds_up_nothing_and_gets_all_later(start, store, given, tmp_path):
    child = start()
    assert post(child, given.batch(60, 0.5)) == 202
    away = tmp_path / "away"
    (tmp_path / "store").rename(away)
    (tmp_path / "store").write_text("no folder")
    assert post(child, given.watermark(1)) == 503
    for number in range(1, 10):
        assert post(child, given.batch(60, 1.5, seq=60 * number)) == 202
    child.kill()
    child.wait()
    (tmp_path / "store").unlink()
    away.rename(tmp_path / "store")
    child = start()
    assert post(child, given.watermark(2)) == 200
    assert status(child)["windows"] == 2
    assert seqs(store) == list(range(600))


def test_a_torn_end_is_cut_off_and_what_is_before_it_kept(start, store, given, tmp_path):
    child = start()
    for number in range(3):
        assert post(child, given.batch(60, 0.5, seq=60 * number)) == 202
    child.kill()
    child.wait()
    (segment,) = (tmp_path / "spool").glob("*/*/*.open")
    content = segment.read_bytes()
    segment.write_bytes(content[:-7])
    child = start()
    deadline = time.monotonic() + 20
    while seqs(store) != list(range(120)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seqs(store) == list(range(120))
    assert post(child, given.batch(60, 0.5, seq=120)) == 202
    assert post(child, given.watermark(1)) == 200
    assert seqs(store) == list(range(180))


def test_what_another_bundle_left_is_logged_under_its_name(start, store, given, tmp_path):
    child = start()
    assert post(child, given.batch(60, 0.5)) == 202
    child.kill()
    child.wait()
    own = tmp_path / "spool" / given.loop / given.version
    own.rename(own.with_name("0000-older"))
    start()
    deadline = time.monotonic() + 20
    while not store.list("inference/") and time.monotonic() < deadline:
        time.sleep(0.05)
    (key,) = store.list("inference/")
    assert key.endswith("/0000-older-pod-1-0.parquet")
    assert seqs(store) == list(range(60))


def test_two_sidecars_do_not_share_a_spool(start, tmp_path, store, given):
    start()
    environ = {
        "PATH": os.environ["PATH"],
        "DRIFTLOOP_STORE": store.uri,
        "DRIFTLOOP_LOOP": given.loop,
        "DRIFTLOOP_BUNDLE": given.version,
        "DRIFTLOOP_SPOOL": str(tmp_path / "spool"),
    }
    command = [sys.executable, "-m", "drift_sidecar"]
    second = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert "no other sidecar uses" in second.stderr
