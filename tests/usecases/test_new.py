"""A use case to begin with: written whole under any name a loop may have, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from driftloop import cli, usecase
from driftloop.scaffold import writing
from driftloop_contracts.errors import InvalidInput


def test_a_name_is_the_loops_and_the_folders(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.app, ["new", "ticket-routing", "--in", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert done.output.endswith("ticket_routing: driftloop run ticket_routing\n")
    case = usecase.find("ticket-routing", {usecase.FOLDER_VARIABLE: str(tmp_path)})
    assert (case.name, case.loop.name) == ("ticket_routing", "ticket-routing")
    written = {path.name: path.read_text() for path in case.folder.iterdir()}
    assert set(written) == set(writing.FILES)
    assert not [name for name, text in written.items() if "USECASE" in text or "NAME" in text]


@pytest.mark.parametrize("name", ["", "9lives", "Ads", "a" * 41, "../up", "a/b", "-a", "a-", "a b"])
def test_a_name_that_no_loop_may_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="use case's name"):
        writing.write(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_loses_nothing(tmp_path: Path) -> None:
    folder = writing.write("mine", tmp_path)
    (folder / "loop.yaml").write_text("my own work")
    with pytest.raises(InvalidInput, match="not taken"):
        writing.write("mine", tmp_path)
    assert (folder / "loop.yaml").read_text() == "my own work"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_log_is_not_read_by_the_simulator(tmp_path: Path) -> None:
    writing.write("mine-too", tmp_path)
    case = usecase.find("mine-too", {usecase.FOLDER_VARIABLE: str(tmp_path)})
    with pytest.raises(InvalidInput, match="read your own log"):
        case.source_name(usecase.Span(data=Path("log.csv")))
