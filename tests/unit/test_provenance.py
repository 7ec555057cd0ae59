"""What made a bundle: the commit, and whether files differ from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from driftloop import provenance

WHO = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *WHO, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_commit_is_named_and_so_is_that_files_differ_from_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-qm", "Begin")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert provenance.commit(tmp_path) == head
    (tmp_path / "a").write_text("2")
    assert provenance.commit(tmp_path) == f"{head}+"


def test_where_there_is_no_repository_nothing_is_known(tmp_path: Path) -> None:
    assert provenance.commit(tmp_path / "absent") == ""
    assert provenance.of({}, "") == {"commit": "", "image": ""}


def test_it_is_told_by_the_environment_and_the_order() -> None:
    found = provenance.of({"DRIFTLOOP_COMMIT": "1a2b"}, "driftloop/platform@sha256:1")
    assert found == {"commit": "1a2b", "image": "driftloop/platform@sha256:1"}
