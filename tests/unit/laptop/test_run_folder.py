"""The output folder: replaced where it is ours, left whole where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftloop.laptop.run_folder import RunFolder
from driftloop_contracts.errors import InvalidInput


def test_a_second_run_starts_clean(tmp_path: Path) -> None:
    first = RunFolder(tmp_path / "out")
    (first / "store").mkdir()
    (first / "store" / "a").write_text("a")
    (first / "summary.json").write_text("{}")
    first._lock.close()
    second = RunFolder(tmp_path / "out")
    assert [entry.name for entry in second.path.iterdir()] == [".driftloop-run"]


def test_a_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("x")
    first = RunFolder(tmp_path / "out")
    (first / "link").symlink_to(tmp_path / "mine")
    first._lock.close()
    RunFolder(tmp_path / "out")
    assert (tmp_path / "mine" / "precious").exists()
    assert not (tmp_path / "out" / "link").is_symlink()


def test_a_folder_with_other_files_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InvalidInput, match="other files"):
        RunFolder(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_folder_in_use_is_refused_and_kept(tmp_path: Path) -> None:
    first = RunFolder(tmp_path / "out")
    (first / "summary.json").write_text("{}")
    with pytest.raises(InvalidInput, match="in use"):
        RunFolder(tmp_path / "out")
    assert (first / "summary.json").exists()


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(InvalidInput, match="a file"):
        RunFolder(tmp_path / "out")
