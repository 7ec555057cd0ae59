"""Processes that a test starts and kills."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from api_server import ROOT


class Process:
    """A process of a test; killed when the test ends, if not before."""

    def __init__(self, command: list[str], environ: dict[str, str], log: Path) -> None:
        inherited = {
            name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ
        }
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=inherited | environ, stdout=output, stderr=output, cwd=ROOT
            )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
