"""The training pipeline as a process of its own, once for one Retraining."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from driftloop.training import outcome
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import ObjectStore

SENTENCE = re.compile(r"driftloop_contracts\.errors\.\w+: (.+)")
"""How a step's log shows the sentence that it failed with."""
ERROR = re.compile(r"^\s*([\w.]*(?:Error|Exception)\b.*)$", re.MULTILINE)
"""How a step's log shows an error that nobody foresaw."""


class PipelineProcess:
    """Runs the compiled pipeline ``package`` through kfp.local; logs go to ``folder``."""

    def __init__(self, package: Path, folder: Path, environ: dict[str, str]) -> None:
        if not package.is_file():
            raise InvalidInput("the compiled pipeline", str(package), "present", "nothing")
        self.package, self.folder, self.environ = package, folder, environ

    def train(self, order: Order, store: ObjectStore) -> Outcome:
        """Return how the pipeline ended for ``order``; a verdict left earlier is taken as it is."""
        key = outcome.key(order.loop, order.name)
        if left := _left(store, key):
            return left
        log = self.folder / f"{order.name}.log"
        if self._run(order, store.uri, log) != 0:
            left = _left(store, key)
            stopped = left is not None and left.verdict == "failed"
            return left if left and stopped else Outcome("failed", "", None, (_sentence(log),))
        return outcome.read(store.get(key))

    def _run(self, order: Order, store: str, log: Path) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        module = "driftloop.adapters.local_pipeline"
        parameters = {"loop": order.loop, "store": store, "order": order.to_json()}
        arguments = [str(self.package), str(self.folder), json.dumps(parameters)]
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
            try:
                return process.wait()
            finally:
                _end(process)


def _left(store: ObjectStore, key: str) -> Outcome | None:
    try:
        return outcome.read(store.get(key))
    except KeyError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no step behind, whatever ended the wait."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin:
        process.stdin.close()


def _sentence(log: Path) -> str:
    """Return the sentence a failed step ended with, or the error nobody foresaw."""
    text = log.read_text(errors="replace")
    found = SENTENCE.findall(text)
    if found:
        return str(found[-1])
    errors = ERROR.findall(text)
    return f"The pipeline failed, see {log}: {errors[-1] if errors else 'it was ended'}"
