"""Where the real data lie, and how the command is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ADWORDS = Path("google_adwords_daily") / "adwords_daily.csv.gz"


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit code, what it printed, and its output folder."""

    code: int
    stdout: str
    stderr: str
    out: Path

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.out / "summary.json").read_text())

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "events.jsonl").read_text().splitlines()]


def shared_data() -> Path:
    return Path(os.environ.get("DRIFTLOOP_SHARED_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def adwords() -> Path:
    """The real year of search ads; where it must be there, its absence fails."""
    path = shared_data() / ADWORDS
    if not path.is_file():
        if os.environ.get("DRIFTLOOP_REQUIRE_SHARED") == "1":
            pytest.fail(f"The real data are required and {path} is absent.")
        pytest.skip(f"The real data {path} are absent.")
    return path


def driftloop(
    *arguments: str, timeout: float = 500, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "driftloop.cli", *arguments]
    told = os.environ | (environ or {})
    return subprocess.run(
        command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=timeout
    )


@pytest.fixture(scope="session")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """Run ``driftloop run`` with these options into a folder of its own."""

    def run(
        *options: str, usecase: str = "ads_ctr", environ: dict[str, str] | None = None
    ) -> Finished:
        out = tmp_path_factory.mktemp("run") / "out"
        done = driftloop("run", usecase, "--out", str(out), *options, environ=environ)
        return Finished(done.returncode, done.stdout, done.stderr, out)

    return run


@pytest.fixture(scope="session")
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line with these arguments."""
    return driftloop
