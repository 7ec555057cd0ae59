"""Bad input to the command: one sentence, exit code 2, no traceback, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
GOOD = "date,keyword_id,impressions,clicks\n" + "".join(
    f"2012-04-{day:02d},{key},10,1\n" for day in range(1, 10) for key in range(300)
)


def driftloop(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "driftloop.cli", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


CASES = {
    "wrong column": ("day,keyword_id,impressions,clicks\n2012-04-01,1,1,0\n", "date"),
    "empty file": ("", "empty"),
    "no rows": ("date,keyword_id,impressions,clicks\n", "row"),
    "unparsable date": ("date,keyword_id,impressions,clicks\nsoon,1,1,0\n", "soon"),
    "negative count": ("date,keyword_id,impressions,clicks\n2012-04-01,1,-1,0\n", "-1"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_data_is_one_sentence(name: str, tmp_path: Path) -> None:
    content, word = CASES[name]
    path = tmp_path / "log.csv"
    path.write_text(content)
    done = driftloop("run", "ads_ctr", "--data", str(path), "--out", str(tmp_path / "out"))
    _is_refused(done, word)
    assert str(path) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run", "nothing"], "ads_ctr"),
        (["run", "ads_ctr", "--data", "absent.csv"], "absent.csv"),
        (["run", "ads_ctr", "--from", "yesterday"], "yesterday"),
        (["run", "ads_ctr", "--from", "2012-05-01", "--to", "2012-04-01"], "2012-04-01"),
        (["explain", "ads-ctr-99", "--out", "absent"], "absent"),
    ],
    ids=["unknown use case", "missing file", "bad day", "days reversed", "no such run"],
)
def test_bad_arguments_are_one_sentence(arguments: list[str], word: str) -> None:
    _is_refused(driftloop(*arguments), word)


def test_foreign_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    done = driftloop("run", "ads_ctr", "--out", str(tmp_path))
    _is_refused(done, "other files")
    assert (tmp_path / "thesis.txt").read_text() == "dear"


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(GOOD)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = driftloop(
            "run", "ads_ctr", "--data", str(log), "--out", str(tmp_path / "out"), "--port", port
        )
    assert done.returncode in (1, 2)
    assert port in done.stderr
    assert "Traceback" not in done.stderr
    assert _processes_naming(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="A read-only folder does not stop root.")
def test_read_only_folder_is_one_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    _is_refused(driftloop("run", "ads_ctr", "--out", str(tmp_path / "out")), "writable")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="There is no /dev/full here.")
def test_a_file_as_folder_is_one_sentence() -> None:
    _is_refused(driftloop("run", "ads_ctr", "--out", "/dev/full"), "folder")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_no_process_and_the_next_starts_clean(
    how: signal.Signals, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    log.write_text(GOOD)
    arguments = ["run", "ads_ctr", "--data", str(log), "--out", str(tmp_path / "out")]
    run = subprocess.Popen(
        [sys.executable, "-m", "driftloop.cli", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for_pipeline(tmp_path / "out" / "pipelines")
    run.send_signal(how)
    _, stderr = run.communicate(timeout=60)
    assert "Traceback" not in stderr
    if how != signal.SIGKILL:
        assert run.returncode == 1
        assert stderr.count("\n") == 1
    deadline = time.monotonic() + 30
    while _processes_naming(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _processes_naming(tmp_path) == []
    again = driftloop(*arguments, "--no-compare")
    assert again.returncode == 0, again.stderr


def _wait_for_pipeline(folder: Path) -> None:
    deadline = time.monotonic() + 90
    while not any(folder.glob("training-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert any(folder.glob("training-*"))


def _is_refused(done: subprocess.CompletedProcess[str], word: str) -> None:
    assert done.returncode == 2, done.stderr
    assert word in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr


def _processes_naming(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.environ().values()):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found
