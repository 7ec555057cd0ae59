"""Serving: the pair in service, the router before it, and the change from one pair to the next.

During a rollout a second pair, the candidate's, has a share of the traffic.

A pair is one predictor and one drift sidecar for one bundle. The next pair's processes start
while the pipeline still trains: they import their libraries and wait for their bundle's name,
so that a promotion need not wait for them.
"""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from driftloop.laptop.children import Child
from driftloop_contracts.errors import RunFailed

START_SECONDS = 120.0
"""Longest wait for a process to serve; a cold disk makes imports slow."""
FLUSH_SECONDS = 60.0
"""Longest wait for a predictor to hand its records to its sidecar."""


@dataclass
class Pair:
    """A predictor and its sidecar; ``version`` is empty while they stand by."""

    predictor: Child
    sidecar: Child
    version: str = ""

    def serve(self, version: str) -> None:
        """Give both their bundle and wait until they have verified it and serve."""
        self.version = version
        self.sidecar.tell({"bundle": version})
        sidecar_url = self.sidecar.wait_ready(START_SECONDS)
        self.predictor.tell({"bundle": version, "sidecar": sidecar_url})
        self.predictor.wait_ready(START_SECONDS)

    def stop(self) -> None:
        """Drain: the predictor hands over its last records, then the sidecar writes its log."""
        self.predictor.stop()
        self.sidecar.stop()


class Serving:
    """Router, current pair and the pair that stands by."""

    def __init__(
        self,
        environ: dict[str, str],
        sidecar_python: Path,
        folder: Path,
        sink: str,
        port: int,
        entity: str = "",
    ) -> None:
        self._entity = entity
        self._environ, self._sidecar_python = environ, sidecar_python
        self._folder, self._sink = folder, sink
        self._token = secrets.token_urlsafe(24)
        self._http = httpx.Client(timeout=FLUSH_SECONDS)
        self._started = 0
        self._draining: list[threading.Thread] = []
        self._awaited: list[threading.Thread] = []
        self._standby: Pair | None = None
        self.pair: Pair | None = None
        self.candidate: Pair | None = None
        self.shared = 0.0
        self.router = self._start_router(port)
        self.url = ""

    def open(self) -> None:
        """Wait until the router listens."""
        self.url = self.router.wait_ready(START_SECONDS)

    def stand_by(self) -> None:
        """Start the next pair's processes, unless they wait already."""
        if self._standby is None:
            self._started += 1
            number = self._started
            self._standby = Pair(self._predictor(number), self._sidecar(number))

    def switch(self, version: str) -> None:
        """Serve ``version`` by its own pair, move all traffic, then drain and end the others."""
        if self.pair and self.pair.version == version and not self.candidate:
            return
        old, candidate = self.pair, self.candidate
        if not old or old.version != version:
            self.pair = self._pair(version)
        self.candidate = None
        self._route(0.0)
        left = [pair for pair in (old, candidate) if pair and pair is not self.pair]
        self._drain(left, is_amid=candidate is not None)

    def share(self, version: str, share: float) -> None:
        """Serve ``version`` beside the pair in service, with this share of the traffic."""
        left = self.candidate if self.candidate and self.candidate.version != version else None
        self.candidate, self.shared = self._pair(version), share
        self._route(share)
        self._drain([left] if left else [], is_amid=True)

    def answered(self, version: str) -> dict[str, dict[str, Any]]:
        """Return what was answered by ``version`` since its process began, by the process's name.

        One that does not tell is left out; ``router`` tells what a candidate left unanswered.
        """
        found: dict[str, dict[str, Any]] = {}
        for pair in self.pairs:
            if pair.version == version:
                with suppress(httpx.HTTPError, ValueError, KeyError):
                    status = self._http.get(f"{pair.predictor.url}/driftloop/status").json()
                    found[f"{status['pod_uid']}/{status['run']}"] = status["answered"]
        if found and self.candidate and self.candidate.version == version:
            lost = self._http.get(f"{self.url}/driftloop/backend").json()["canary"]["unanswered"]
            found["router"] = {"requests": lost, "failed": lost}
        return found

    @property
    def pairs(self) -> list[Pair]:
        """Return the pairs that have traffic, the one in service first."""
        return [pair for pair in (self.pair, self.candidate) if pair]

    def _pair(self, version: str) -> Pair:
        """Return the pair that serves ``version``, started where there is none."""
        for pair in self.pairs:
            if pair.version == version:
                return pair
        self.stand_by()
        new, self._standby = self._standby, None
        assert new is not None
        new.serve(version)
        return new

    def _route(self, share: float) -> None:
        """Tell the router who answers; it returns when nothing is in flight on those left out."""
        assert self.pair is not None
        told: dict[str, Any] = _backend(self.pair)
        if self.candidate:
            told["canary"] = _backend(self.candidate) | {"share": share}
        bearer = {"authorization": f"Bearer {self._token}"}
        self._http.put(
            f"{self.url}/driftloop/backend", json=told, headers=bearer
        ).raise_for_status()

    def _drain(self, pairs: Iterable[Pair], *, is_amid: bool) -> None:
        """Let pairs end beside the loop; nothing is in flight on them any more.

        ``is_amid``: they answered since the last flush; the next one waits for their records.
        """
        threads = [threading.Thread(target=pair.stop) for pair in pairs]
        for thread in threads:
            thread.start()
        self._draining += threads
        self._awaited += threads if is_amid else []

    def flush(self) -> int:
        """Wait until each predictor has handed its records over; return how many they served.

        A candidate that does not answer has nothing to hand over any more; pairs that answered
        meanwhile and were taken out of service have written their logs.
        """
        while self._awaited:
            self._awaited.pop().join()
        assert self.pair is not None
        served = self._flush(self.pair)
        if self.candidate:
            with suppress(httpx.HTTPError):
                served += self._flush(self.candidate)
        return served

    def _flush(self, pair: Pair) -> int:
        deadline = time.monotonic() + FLUSH_SECONDS
        self._http.post(f"{pair.predictor.url}/driftloop/flush").raise_for_status()
        while True:
            status = self._http.get(f"{pair.predictor.url}/driftloop/status").json()
            done = status["sent_rows"] + status["dropped_rows"] + status["failed_rows"]
            if done == status["rows"]:
                return int(done)
            if time.monotonic() > deadline:
                raise RunFailed(f"The predictor still holds {status['rows'] - done} records.")
            time.sleep(0.005)

    def close(self) -> None:
        """End every process."""
        standing = [self._standby] if self._standby else []
        ends = [pair.stop for pair in [*self.pairs, *standing]] + [self.router.stop]
        self._draining += [threading.Thread(target=end) for end in ends]
        for thread in self._draining[-len(ends) :]:
            thread.start()
        for thread in self._draining:
            thread.join()
        self._http.close()

    def _start_router(self, port: int) -> Child:
        environ = self._environ | {
            "DRIFTLOOP_ADMIN_TOKEN": self._token,
            "DRIFTLOOP_PORT": str(port),
            "DRIFTLOOP_ENTITY": self._entity,
        }
        return self._start("router", [sys.executable, "-m", "driftloop.services.router"], environ)

    def _predictor(self, number: int) -> Child:
        environ = self._environ | {
            "DRIFTLOOP_FEAST": str(self._folder / "feast"),
            "DRIFTLOOP_EVENT_TIME": "1",
            "DRIFTLOOP_BUNDLE": "",
            "DRIFTLOOP_SCRATCH": str(self._folder / "scratch" / f"predictor-{number}"),
            "POD_UID": f"predictor-{number}",
        }
        command = [sys.executable, "-m", "driftloop.services.predictor"]
        return self._start(f"predictor-{number}", command, environ)

    def _sidecar(self, number: int) -> Child:
        # Optimised bytecode was compiled for the platform's environment only.
        environ = {k: v for k, v in self._environ.items() if k != "PYTHONOPTIMIZE"} | {
            "DRIFTLOOP_SINK": self._sink,
            "DRIFTLOOP_BUNDLE": "",
            "DRIFTLOOP_SCRATCH": str(self._folder / "scratch" / f"sidecar-{number}"),
        }
        command = [str(self._sidecar_python), "-m", "drift_sidecar"]
        return self._start(f"sidecar-{number}", command, environ)

    def _start(self, name: str, command: list[str], environ: dict[str, str]) -> Child:
        return Child(name, command, environ, self._folder / "logs" / f"{name}.log")


def _backend(pair: Pair) -> dict[str, Any]:
    return {"url": pair.predictor.url, "version": pair.version}
