"""The report in a real Chromium: its plots are there, and nothing is asked of a network."""

from __future__ import annotations

import http.server
import importlib.util
import os
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from driftloop.report import page

SYNTHETIC = Path(__file__).parents[1] / "unit" / "report" / "synthetic.py"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps",
)  # fmt: skip
OFFLINE = ("--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>")
"""A proxy that is not there: the browser reaches no network, itself included."""
BROWSERS_OWN = (".google.com", ".googleapis.com", ".gvt1.com", ".gstatic.com")
"""Where Chromium calls on its own account, whatever page it shows."""
WAIT = 120
"""Seconds for one start of the browser on a busy machine."""


@pytest.fixture(scope="module")
def chromium() -> str:
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        message = f"No browser is installed: one of {', '.join(NAMES)} (Debian: chromium)."
        if os.environ.get("DRIFTLOOP_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.spec_from_file_location("synthetic_run", SYNTHETIC)
    assert spec is not None
    assert spec.loader is not None
    synthetic = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(synthetic)
    target = tmp_path_factory.mktemp("report") / "report.html"
    target.write_text(page.render(*synthetic.run()), encoding="utf-8")
    return target


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy that refuses everything and remembers what it was asked for."""

    asked: list[str]

    def _refuse(self) -> None:
        self.asked.append(self.path)
        self.send_error(403)

    do_GET = do_POST = do_CONNECT = do_HEAD = _refuse  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    handler = type("Remembering", (Proxy,), {"asked": asked})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def opened(
    chromium: str, profile: Path, *arguments: str, network: tuple[str, ...] = OFFLINE
) -> str:
    command = [chromium, *QUIET, *network, f"--user-data-dir={profile}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def hosts(asked: list[str]) -> set[str]:
    """Return the hosts that a page asked for: of http requests and of https tunnels."""
    found = {urlsplit(path if "//" in path else f"//{path}").hostname or path for path in asked}
    return {host for host in found if not host.endswith(BROWSERS_OWN)}


def test_the_plots_are_in_the_page_that_chromium_builds(
    chromium: str, report: Path, tmp_path: Path
) -> None:
    dom = opened(chromium, tmp_path / "profile", "--dump-dom", report.as_uri())
    for name in ("information gain (ratio)", "Drift per feature", "Model versions"):
        assert dom.count(f'aria-label="{name} over time"') == 2
    assert dom.count("<rect") > 2750
    assert dom.count("<circle") > 540
    assert "http://" not in dom
    assert "https://" not in dom


def test_nothing_is_asked_of_a_network(
    chromium: str, report: Path, tmp_path: Path, proxy: tuple[str, list[str]]
) -> None:
    address, asked = proxy
    network = (f"--proxy-server={address}", "--proxy-bypass-list=<-loopback>")
    picture = '<img src="http://picture.invalid/x.png">'
    control, smuggled = tmp_path / "control.html", tmp_path / "smuggled.html"
    control.write_text(f"<p>x</p>{picture}", encoding="utf-8")
    smuggled.write_text(report.read_text().replace("<main>", f"<main>{picture}"), encoding="utf-8")
    opened(chromium, tmp_path / "1", "--dump-dom", control.as_uri(), network=network)
    assert hosts(asked) == {"picture.invalid"}  # the proxy does see what a page asks for
    asked.clear()
    opened(chromium, tmp_path / "2", "--dump-dom", report.as_uri(), network=network)
    dom = opened(chromium, tmp_path / "3", "--dump-dom", smuggled.as_uri(), network=network)
    assert "picture.invalid" in dom  # the page's own policy refuses what it did not bring
    assert hosts(asked) == set()


@pytest.mark.parametrize(("width", "height"), [(400, 900), (830, 900), (1400, 900)])
def test_no_part_is_wider_than_the_window(
    chromium: str, report: Path, tmp_path: Path, width: int, height: int
) -> None:
    """A frame of that width measures its own document and the six tables that are unfolded."""
    framed = tmp_path / "framed.html"
    framed.write_text(_measuring(report, width), encoding="utf-8")
    window = (f"--window-size={width + 100},{height}", "--allow-file-access-from-files")
    dom = opened(chromium, tmp_path / "profile", *window, "--dump-dom", framed.as_uri())
    assert f'id="found">{width} wide, 7 parts, 0 too wide<' in dom


def _measuring(report: Path, width: int) -> str:
    return (
        f'<iframe src="{report.as_uri()}" style="width:{width}px;height:800px;border:0"></iframe>'
        '<p id="found"></p><script>onload = () => {const d = frames[0].document;'
        "const parts = [d.documentElement, ...d.querySelectorAll('section > .scroll')];"
        "const over = parts.filter(e => e.scrollWidth > e.clientWidth);"
        "found.textContent = `${d.documentElement.clientWidth} wide, ${parts.length} parts, `"
        "+ `${over.length} too wide`}</script>"
    )


def test_the_page_is_painted(chromium: str, report: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.png"
    window = ("--window-size=1400,2600", f"--screenshot={target}")
    opened(chromium, tmp_path / "profile", *window, report.as_uri())
    content = target.read_bytes()
    assert struct.unpack(">II", content[16:24]) == (1400, 2600)
    assert len(content) > 100_000  # a blank page of that size takes about ten kilobytes
