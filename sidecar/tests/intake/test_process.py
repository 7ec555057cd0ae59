"""The real process behind a real socket, told as KServe's agent and its neighbours would."""

import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
import urllib3

from drift_sidecar.intake.kserve import REQUEST, RESPONSE
from driftloop_contracts import times


class Process:
    """A sidecar that runs, and its port."""

    def __init__(self, store, given, **changes):
        environ = {
            "PATH": os.environ["PATH"],
            "DRIFTLOOP_STORE": store.uri,
            "DRIFTLOOP_LOOP": given.loop,
            "DRIFTLOOP_BUNDLE": given.version,
        }
        self.given, self.store = given, store
        self.child = subprocess.Popen(
            [sys.executable, "-m", "drift_sidecar"],
            env=environ | changes,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.port = json.loads(self.child.stdout.readline())["port"]

    def post(self, kind, event_id, body, content_type="application/x-www-form-urlencoded"):
        headers = {
            "Ce-Specversion": "1.0",
            "Ce-Type": kind,
            "Ce-Id": event_id,
            "Ce-Source": "http://localhost:9081/",
            "Ce-Time": times.to_text(self.given.at(0.5)),
            "Ce-Inferenceservicename": "ads",
            "Content-Type": content_type,
        }
        address = f"http://127.0.0.1:{self.port}/"
        return urllib3.request("POST", address, body=body, headers=headers, retries=False).status

    def say(self, raw):
        """Send bytes as they are and return the status line's number, 0 for none."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
            connection.sendall(raw)
            try:
                return int(connection.recv(20).split()[1])
            except TimeoutError:  # it waits for the rest of what the headers promise
                return 0

    def status(self):
        address = f"http://127.0.0.1:{self.port}/status"
        return urllib3.request("GET", address, retries=False).json()

    def end(self):
        """Tell it to stop and return what its log has."""
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(timeout=20) == 0
        keys = self.store.list("inference/")
        tables = [pq.read_table(io.BytesIO(self.store.get(key))) for key in keys]
        return [row for table in tables for row in table.to_pylist()]


@pytest.fixture
def start(store, given):
    running = []

    def started(**changes):
        running.append(Process(store, given, **changes))
        return running[-1]

    yield started
    for process in running:
        with process.child as child:
            child.kill()


BODY = b'{"instances": [[1.5, "a"], [2.5, "b"]]}'


def test_what_waits_at_the_end_is_in_the_log_and_a_restart_writes_beside_it(start):
    first = start(POD_UID="pod-1")
    assert first.post(REQUEST, "1", BODY) == 200
    assert first.post(RESPONSE, "1", b'{"predictions": [0, 1]}') == 200
    assert first.post(REQUEST, "2", BODY) == 200
    assert sorted(str(row["prediction"]) for row in first.end()) == ["0.0", "1.0", "None", "None"]
    second = start(POD_UID="pod-1")
    assert second.post(REQUEST, "3", BODY) == 200
    rows = second.end()
    assert len(rows) == 6
    assert len({row["pod_uid"] for row in rows}) == 2
    assert all(row["pod_uid"].startswith("pod-1-") for row in rows)


def test_a_request_without_a_response_goes_on_by_itself(start):
    process = start(DRIFTLOOP_PAIR_SECONDS="0.5")
    process.post(REQUEST, "1", BODY)
    for _ in range(100):
        if process.status()["rows"]:
            break
        time.sleep(0.1)
    assert process.status()["intake"]["unanswered"]["expired"] == 1
    assert [row["prediction"] for row in process.end()] == [None, None]


def test_no_bytes_on_the_socket_do_harm(start):
    process, rng = start(), random.Random(5)
    head = b"POST / HTTP/1.1\r\nhost: a\r\nce-type: " + REQUEST.encode() + b"\r\nce-id: 1\r\n"
    head += b"ce-specversion: 1.0\r\nce-source: a\r\nce-time: 2012-04-01T00:00:00Z\r\n"
    whole = head + f"content-length: {len(BODY)}\r\n\r\n".encode() + BODY
    statuses = set()
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            data[rng.randrange(len(data))] = rng.choice(b'\x00\r\n\xff:, 9{["%')
        statuses.add(process.say(bytes(data)))
    assert max(statuses) < 500
    assert {200, 400} <= statuses
    before = process.status()["rows"]
    for number in range(60):
        assert process.post(REQUEST, f"whole-{number}", BODY) == 200
        assert process.post(RESPONSE, f"whole-{number}", b'{"predictions": [0, 1]}') == 200
    assert process.status()["rows"] == before + 120
    end = {"specversion": "1.0", "id": "end", "source": "t", "type": "io.driftloop.watermark.v1"}
    end |= {"time": "2012-04-01T01:00:00Z", "data": {"event_time": "2012-04-01T01:00:00Z"}}
    answer = urllib3.request(
        "POST",
        f"http://127.0.0.1:{process.port}/",
        body=json.dumps(end),
        headers={"content-type": "application/cloudevents+json"},
    )
    assert answer.json()["windows"] == 1
