"""``driftloop scope`` on what ``driftloop new`` writes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from driftloop import cli, scope_steps, usecase
from driftloop.scaffold import writing
from driftloop_contracts.errors import InvalidInput

NAME = "to-scope"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(usecase.FOLDER_VARIABLE, str(tmp_path / "usecases"))
    monkeypatch.chdir(tmp_path)
    return writing.write(NAME, tmp_path / "usecases")


def steps(path: Path, slow: str) -> Path:
    times = {"choosing whom to invite": 5, "writing": 5} | {slow: 30}
    lines = [f"{case},{step},{t + case % 3}" for case in range(40) for step, t in times.items()]
    path.write_text("\n".join(["case,step,minutes", *lines]))
    return path


@pytest.mark.slow
def test_a_new_use_case_gets_a_verdict_a_page_and_a_record(folder: Path) -> None:
    spec = (folder / "loop.yaml").read_text()
    (folder / "loop.yaml").write_text(spec.replace("days: 42", "days: 21"))
    own = "\n\ndef rules():\n    return {'mail': lambda rows: rows['channel'] == 'mail'}\n"
    (folder / "model.py").write_text((folder / "model.py").read_text() + own)
    table = steps(folder.parent / "steps.csv", "choosing whom to invite")
    asked = ["scope", NAME, "--seconds", "60", "--html", "scope.html", "--steps", str(table)]
    done = CliRunner().invoke(cli.app, asked)
    assert done.exit_code == 0, done.output
    found = json.loads(Path("scope.json").read_text())
    assert found["verdict"]["verdict"] in {"ML", "rule"}
    assert f"Verdict: {found['verdict']['verdict']}" in done.output
    assert found["bottleneck"]["named"] == "choosing whom to invite"
    assert "mail" in {one["name"] for one in found["rules"]}
    assert len(found["estimates"]["runs"]) >= 3
    assert "<svg" in Path("scope.html").read_text()


def test_a_table_beside_loop_yaml_is_found(folder: Path) -> None:
    steps(folder / "steps.csv", "writing")
    spec = (folder / "loop.yaml").read_text()
    line = "bottleneck: {step: choosing whom to invite"
    (folder / "loop.yaml").write_text(spec.replace(line, line + ", evidence: steps.csv"))
    table = scope_steps.find(usecase.find(NAME), usecase.Span(), None)
    assert table is not None
    assert len(table) == 80


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "an existing file"),
        (b"", "a CSV or parquet file"),
        (b"step,start,end\na,nine,ten\n", "column 'start'"),
        (b"\xff\xfe\x00", "a CSV or parquet file"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "steps.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=message):
        scope_steps.read(path)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--seconds", "0"], "--seconds in the command must be a number above 0"),
        (["--seconds", "nan"], "--seconds in the command must be a number above 0"),
        (["--as-of", "soon"], "--as-of in the command must be"),
        (["--steps", "none.csv"], "the table of steps in none.csv must be an existing file"),
    ],
)
def test_a_wrong_option_is_one_sentence(folder: Path, option: list[str], message: str) -> None:
    done = CliRunner().invoke(cli.app, ["scope", NAME, *option])
    assert isinstance(done.exception, InvalidInput)
    assert message.lower() in str(done.exception).lower()
