"""The commands on a use case as ``driftloop new`` writes it, with two rules of thumb."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from driftloop import cli, parquet, usecase
from driftloop.labels import history
from driftloop.scaffold import writing
from driftloop_contracts.errors import InvalidInput

NAME = "labelled-visits"
RULES = '''

def labelling_functions():
    """Return two rules that know little."""
    from driftloop.labels.functions import LabellingFunction, by_row

    return [
        LabellingFunction("often", lambda rows: rows["weight"].map({1.0: "no"})),
        by_row("never", lambda row: None),
    ]
'''


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    made = writing.write(NAME, folder)
    labels = made / "labels.py"
    labels.write_text(labels.read_text() + RULES)
    writing.write("unlabelled-visits", folder)
    return folder


@pytest.fixture
def told(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command and return what it printed; what it refuses is raised."""
    monkeypatch.setenv(usecase.FOLDER_VARIABLE, str(root))

    def run(*arguments: str) -> str:
        monkeypatch.setenv("COLUMNS", "200")
        found = CliRunner().invoke(cli.app, ["labels", *arguments], catch_exceptions=True)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        assert found.exit_code == 0, found.output
        return found.output

    return run


def fill(path: Path, answers: Any) -> None:
    """Write what ``answers(row)`` says, (label, reviewer), into the queue's file."""
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    for row in rows:
        row["label"], row["reviewer"] = answers(row)
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(sink.getvalue(), encoding="utf-8-sig")


def test_votes_prints_the_functions_and_what_cannot_be_relied_on(told: Any) -> None:
    output = told(NAME, "votes", "--newest", "2000")
    assert "often" in output
    assert "These never vote and tell nothing: never." in output
    assert "fewer than three voters" in output


def test_a_use_case_without_functions_says_so(told: Any) -> None:
    with pytest.raises(InvalidInput, match="labelling_functions in .*labels.py must be"):
        told("unlabelled-visits", "votes")


def test_a_queue_goes_out_and_its_labels_come_back_as_outcomes(told: Any, tmp_path: Path) -> None:
    queue, out = tmp_path / "queue.csv", tmp_path / "outcomes.parquet"
    output = told(NAME, "queue", "--out", str(queue), "--rows", "40", "--newest", "500")
    assert "40 of 500 rows" in output
    plan = parquet.load((tmp_path / "queue.csv.plan.parquet").read_bytes())
    assert set(plan["chosen_by"]) == {"uncertain", "random"}
    assert plan["stands_for"].sum() == pytest.approx(500)
    second = tmp_path / "second.csv"
    second.write_bytes(queue.read_bytes())
    fill(queue, lambda row: ("yes", "Ann"))
    skipped = plan["prediction_id"].iloc[0]
    fill(second, lambda row: ("" if row["id"] == skipped else "YES", "Bob"))
    files = (str(queue), str(second))
    output = told(NAME, "import", *files, "--out", str(out))
    assert "79 reviews, 1 rows not filled in, 0 set aside." in output
    assert "40 labels taken by majority, none undecided." in output
    assert "Cohen's kappa of Ann and Bob, 39 rows: not defined" in output
    assert "are wrong, by" in output
    assert "Back to data engineering:" in output  # Most visitors do not return.
    reports = parquet.load(out.read_bytes())
    assert (reports["value"] == 1).all()
    label = usecase.find(NAME).loop.spec.objective.label
    known = history.resolved(reports, label, pd.Timestamp.now(tz="UTC").to_pydatetime())
    assert (len(known.rows), len(known.rejected)) == (40, 0)
    again = tmp_path / "outcomes.jsonl"
    told(NAME, "import", *files, "--out", str(again), "--known", str(out))
    assert {json.loads(line)["revision"] for line in again.read_text().splitlines()} == {1}


def test_import_refuses_what_it_cannot_write_or_read(told: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--out in the command must be a \.parquet"):
        told(NAME, "import", "queue.csv", "--out", "outcomes.xlsx")
    with pytest.raises(FileNotFoundError):
        told(NAME, "import", str(tmp_path / "none.csv"), "--out", str(tmp_path / "o.parquet"))


@pytest.mark.slow
def test_errors_prints_the_most_suspect_rows(told: Any) -> None:
    output = told("unlabelled-visits", "errors", "--newest", "800", "--top", "5", "--fix", "20")
    assert "review some by hand" in output
    assert "Relabelling the 20 most suspect rows" in output
    assert output.count("unknown") == 5
