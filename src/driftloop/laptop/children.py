"""Child: a process of a run that serves on a loopback port and never outlives its parent.

The child's standard input is a pipe that this process holds. When this process ends, however it
ends, the kernel closes the pipe; children of Driftloop take that as the order to drain and exit.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from driftloop_contracts.errors import RunFailed

STOP_SECONDS = 20.0
"""Time a child has to drain before it is told by a signal; half of it before it is killed."""


class Child:
    """The process ``command``; standard error goes to ``log``, ``url`` is known once it serves."""

    def __init__(self, name: str, command: list[str], environ: dict[str, str], log: Path) -> None:
        self.name, self.log, self.url = name, log, ""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def tell(self, message: dict[str, Any]) -> None:
        """Send one line of JSON to the child's standard input."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._failed("ended before it could be told anything") from None

    def wait_ready(self, seconds: float) -> str:
        """Return the child's URL once it serves; raise RunFailed when it ends or is too slow."""
        deadline = time.monotonic() + seconds
        while not self.url:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise self._failed(f"was not ready after {seconds:.0f} s") from None
            if not line:
                raise self._failed("ended before it served")
            self.url = _url(line)
        return self.url

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Let the child drain, then insist; twice is as good as once."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it may have ended by itself
            self.process.stdin.close()
        for order in (None, signal.SIGTERM, signal.SIGKILL):
            if order is not None and self.process.poll() is None:
                os.killpg(self.process.pid, order)
            try:
                self.process.wait(timeout=seconds)
                return
            except subprocess.TimeoutExpired:
                seconds = max(1.0, seconds / 2)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _failed(self, what: str) -> RunFailed:
        self.stop(1.0)
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return RunFailed(f"{self.name} {what}: {lines[-1] if lines else 'it said nothing'}")


def _url(line: bytes) -> str:
    """Return the address in a ready line, or nothing for any other line.

    >>> _url(b'{"ready": true, "port": 8080}')
    'http://127.0.0.1:8080'
    """
    try:
        return f"http://127.0.0.1:{int(json.loads(line)['port'])}"
    except (ValueError, TypeError, KeyError):
        return ""
