"""The report in a real browser, without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from driftloop.report import page

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=2000",
    "--dump-dom",
]


@pytest.fixture
def chromium() -> str:
    binary = shutil.which("chromium")
    if binary is None:
        if os.environ.get("DRIFTLOOP_REQUIRE_BROWSER") == "1":
            pytest.fail("Chromium is required and absent.")
        pytest.skip("Chromium is absent.")
    return binary


def test_the_page_opens_and_draws_its_plots(chromium: str, full_run, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(page.render(*full_run))
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [chromium, *OPTIONS, profile, path.as_uri()], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.count("<svg") == 3
    assert "<circle" in done.stdout
    assert "Model versions" in done.stdout
