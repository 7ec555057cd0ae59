"""A sidecar as a process of its own, what it is told, and what its log has afterwards."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import urllib3

from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.object_store import ObjectStore


class SidecarProcess:
    """One process; ``environ``: its variables beside PATH. It is told its bundle once it imported.

    So the next process can get ready while this one runs.
    """

    def __init__(self, **environ: str) -> None:
        self.bundle = environ.pop("DRIFTLOOP_BUNDLE")
        self.child = subprocess.Popen(
            [sys.executable, "-m", "drift_sidecar"],
            env={"PATH": os.environ["PATH"]} | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = 0

    def watch(self) -> SidecarProcess:
        """Tell it its bundle and return once it serves."""
        self.child.stdin.write(json.dumps({"bundle": self.bundle}) + "\n")
        self.child.stdin.flush()
        self.port = json.loads(self.child.stdout.readline())["port"]
        return self

    def send(self, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        """Return the answer's status and JSON; 0 and None when there is none."""
        address = f"http://127.0.0.1:{self.port}/"
        try:
            answer = urllib3.request(
                "POST", address, body=body, headers=headers, retries=False, timeout=60
            )
            return answer.status, answer.json()
        except urllib3.exceptions.HTTPError:
            return 0, None

    def post(self, event: CloudEvent) -> tuple[int, Any]:
        return self.send(*event.to_http())

    def status(self) -> dict[str, Any]:
        return urllib3.request("GET", f"http://127.0.0.1:{self.port}/status").json()

    def await_status(self, holds: Callable[[dict[str, Any]], bool], seconds: float = 30) -> None:
        """Return once the status is as ``holds`` says; fail after so many seconds."""
        deadline = time.monotonic() + seconds
        while not holds(told := self.status()):
            assert time.monotonic() < deadline, told
            time.sleep(0.05)

    def kill(self) -> None:
        self.child.kill()
        self.child.wait(timeout=60)

    def stop(self) -> int:
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(timeout=60)

    def discard(self) -> None:
        with self.child:
            self.child.kill()


def seqs(store: ObjectStore) -> list[int]:
    """Return the sequence number of every row in the log, sorted."""
    tables = [pq.read_table(io.BytesIO(store.get(key))) for key in store.list("inference/")]
    return sorted(seq for table in tables for seq in table["seq"].to_pylist())
