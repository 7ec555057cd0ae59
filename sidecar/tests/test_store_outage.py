"""A MinIO that freezes, dies and comes back: records are acknowledged throughout and logged once.

`make test-s3` runs this; without a MinIO binary (DRIFTLOOP_MINIO) it is skipped.
"""

import signal
import time

import minio_server
import pytest
from sidecar_process import SidecarProcess, seqs

from driftloop_contracts.object_store import open_store

PATIENCE = 5.0
"""Seconds an answer may take on a machine that others use; the store's client waits 60."""


class Server:
    """A MinIO that can be frozen, killed and brought back with what it stored."""

    def __init__(self, folder):
        self.folder, self.address = folder, minio_server.free_address()
        self.keys = minio_server.fresh_keys()
        self.environ = minio_server.client_environ(self.address, self.keys)
        self.start()
        minio_server.create_bucket(self.environ)
        self.store = open_store(f"s3://{minio_server.BUCKET}", self.environ)

    def start(self):
        self.process = minio_server.start(self.folder, self.address, self.keys)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=20)


@pytest.fixture
def server(tmp_path):
    found = Server(tmp_path / "minio")
    yield found
    found.kill()


@pytest.fixture
def start(server, given, tmp_path):
    given.put_bundle(server.store)
    environ = server.environ | {
        "DRIFTLOOP_STORE": server.store.uri,
        "DRIFTLOOP_LOOP": given.loop,
        "DRIFTLOOP_BUNDLE": given.version,
        "DRIFTLOOP_SPOOL": str(tmp_path / "spool"),
    }
    processes = []

    def started():
        processes.append(SidecarProcess(**environ))
        return processes[-1].watch()

    yield started
    for process in processes:
        process.discard()


def post_hours(process, given, first, last):
    """Post two batches an hour, whose windows close by the data; each is acknowledged in time."""
    for number in range(2 * first, 2 * last):
        began = time.monotonic()
        assert process.post(given.batch(60, number / 2, seq=60 * number))[0] == 202
        assert time.monotonic() - began < PATIENCE


def await_upload(process):
    """Return once something waits for a store that does not answer, and an upload was begun."""
    process.await_status(lambda told: told["waiting"] > 0)
    time.sleep(2.5)  # the data closed windows; a look at what is due comes every second


def check_all_logged(process, given, store, hours):
    deadline = time.monotonic() + 90  # pauses between tries grow to 30 s
    while process.post(given.watermark(hours))[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert process.status()["windows"] == hours
    assert process.status()["dropped"] == {}
    assert process.stop() == 0
    assert seqs(store) == list(range(120 * hours))


@pytest.mark.parametrize(("goes", "comes"), [("freeze", "thaw"), ("kill", "start")])
def test_a_store_that_goes_holds_up_no_record_and_has_all_later(start, server, given, goes, comes):
    process = start()
    post_hours(process, given, 0, 3)
    getattr(server, goes)()
    post_hours(process, given, 3, 6)
    await_upload(process)
    post_hours(process, given, 6, 9)
    assert process.status()["waiting"] >= 120 * 6
    getattr(server, comes)()
    check_all_logged(process, given, server.store, 9)


def test_a_sidecar_killed_in_an_upload_that_the_store_answers_later_logs_it_once(
    start, server, given
):
    process = start()
    server.freeze()
    post_hours(process, given, 0, 4)
    await_upload(process)
    process.kill()
    server.thaw()
    process = start()
    assert process.post(given.batch(60, 0, seq=0)) == (202, {"duplicate": True})
    post_hours(process, given, 4, 6)
    check_all_logged(process, given, server.store, 6)


def test_a_store_that_freezes_and_then_dies_with_the_sidecar_has_all_later(start, server, given):
    process = start()
    server.freeze()
    post_hours(process, given, 0, 4)
    await_upload(process)
    server.kill()
    post_hours(process, given, 4, 6)
    process.kill()
    server.start()
    minio_server.create_bucket(server.environ, "answers")
    process = start()
    post_hours(process, given, 6, 8)
    check_all_logged(process, given, server.store, 8)
