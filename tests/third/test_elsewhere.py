"""A use case from outside the project: its folder alone in an empty place, or an installed package.

Nothing outside the folder is written for it, and nothing of the project is where it runs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from driftloop import usecase
from driftloop.archive import Archive
from driftloop.laptop import environment
from driftloop.scaffold import writing
from driftloop.usecase import Span
from driftloop_contracts import event_types as types
from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import FileStore

FOLDER = Path(__file__).parent / "usecases" / "mail_digits"
STEP = """
import sys
from driftloop.training import steps
print(steps.ingest(*sys.argv[1:])["rows"])
"""


def entry_point(site: Path, value: str) -> None:
    info = site / "acme_digits-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-digits\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{usecase.ENTRY_POINTS}]\nacme = {value}\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution of another team whose package is the use case's folder."""
    site = tmp_path / "site"
    entry_point(site, "acme_digits")
    shutil.copytree(FOLDER, site / "acme_digits")
    monkeypatch.syspath_prepend(str(site))
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.delenv(usecase.FOLDER_VARIABLE, raising=False)
    return site / "acme_digits"


@pytest.mark.parametrize("name", ["acme_digits", "acme-digits", "acme", "mail-digits"])
def test_an_installed_package_is_found_by_each_of_its_names(installed: Path, name: str) -> None:
    case = usecase.find(name)
    assert (case.name, case.folder, case.loop.name) == ("acme_digits", installed, "mail-digits")
    assert len(case.read(Span()).requests) == 1797
    assert set(case.estimators()) >= set(case.loop.spec.training.estimators)


def test_a_name_of_nothing_lists_what_is_installed(installed: Path) -> None:
    with pytest.raises(InvalidInput, match="acme_digits"):
        usecase.find("nothing")


def test_an_entry_point_that_leads_nowhere_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry_point(tmp_path / "site", "acme_letters.first")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(InvalidInput, match=r"'acme' .* package .* Got 'acme_letters.first'"):
        usecase.find("acme")


def test_a_folder_of_the_same_name_is_another_use_case(tmp_path: Path) -> None:
    """What was imported from one is not taken for the other's."""
    for place in ("one", "other"):
        shutil.copytree(FOLDER, tmp_path / place / "mail_digits")
        data = tmp_path / place / "mail_digits" / "data.py"
        data.write_text(data.read_text().replace('"schedule"', f'"{place}"'))
    for place in ("one", "other", "one"):
        case = usecase.find("mail_digits", {usecase.FOLDER_VARIABLE: str(tmp_path / place)})
        assert case.source_name(Span()) == place


def test_a_step_in_a_child_process_finds_it(installed: Path, tmp_path: Path) -> None:
    case, store = usecase.find("acme"), FileStore(tmp_path / "store")
    stream, archive = case.read(Span()), Archive(store, "mail-digits")
    asked = stream.requests.rename(columns={"row_id": "prediction_id"})
    told = stream.outcomes.rename(columns={"row_id": "prediction_id", "positives": "value"})
    day = pd.Timestamp("2026-01-12", tz="UTC")
    archive.put("requests", "2026-01-01", asked[asked["event_time"] < day])
    archive.put("outcomes", "2026-01-12", told[told["known_time"] < day].assign(label="digit"))
    order = f'{{"number": 1, "cutoff": "{times.to_text(day.to_pydatetime())}"}}'
    environ = environment.for_children(case, store.uri, os.environ)
    # Only the platform is on the child's path: the package's place is what it is told.
    environ |= {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    command = [sys.executable, "-c", STEP, "mail-digits", store.uri, order]
    done = subprocess.run(
        [*command, str(tmp_path / "rows.parquet")], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    mature = asked["event_time"] < day - pd.Timedelta(days=1)
    assert int(done.stdout) == mature.sum() > 500


def test_new_makes_these_files_and_no_other(tmp_path: Path) -> None:
    made = writing.write("mail-digits", tmp_path)
    mine = {path.name for path in FOLDER.iterdir() if path.is_file()}
    assert {path.name for path in made.iterdir()} == mine


@dataclass(frozen=True)
class Turned:
    """A place where commands are run as somebody else would, without any setting."""

    place: Path

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        own = (usecase.FOLDER_VARIABLE, "DRIFTLOOP_HOME", "DRIFTLOOP_STORE")
        environ = {name: value for name, value in os.environ.items() if name not in own}
        command = [sys.executable, "-m", "driftloop.cli", *arguments]
        return subprocess.run(
            command, cwd=self.place, env=environ, capture_output=True, text=True, timeout=timeout
        )

    @property
    def files(self) -> set[str]:
        return {path.name for path in self.place.iterdir()}


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Turned:
    """The folder alone in an empty place, where the loop was turned once."""
    place = tmp_path_factory.mktemp("elsewhere")
    shutil.copytree(
        FOLDER, place / "usecases" / "mail_digits", ignore=shutil.ignore_patterns("__pycache__")
    )
    here = Turned(place)
    done = here.command("run", "mail_digits", "--to", "2026-01-28", "--no-compare", timeout=500)
    assert done.returncode == 0, done.stderr
    return here


@pytest.mark.slow
def test_the_folder_alone_runs_in_an_empty_place(turned: Turned) -> None:
    out = turned.place / "runs" / "mail_digits"
    summary = json.loads((out / "summary.json").read_text())
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    found = [event["time"] for event in events if event["type"] == types.DRIFT_DETECTED]
    assert found
    assert min(found) > "2026-01-21", "the new scanner is the only change"
    assert len(summary["promotions"]) >= 2
    served = pd.read_parquet(out / "predictions.parquet")
    assert len(served) == summary["predictions"] == summary["inference_records"] > 800
    assert summary["kpi"][-1]["value"] > 0.7
    assert turned.files == {"usecases", "runs"}
    used = {path.name for path in (turned.place / "usecases" / "mail_digits").iterdir()}
    assert used - {"__pycache__"} == {path.name for path in FOLDER.iterdir()} - {"__pycache__"}


COMMANDS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "status": (("status", "mail_digits"), 0, "read_rightly"),
    "analyse": (("analyse", "mail_digits"), 0, "Where it fails and what to do next:"),
    "card": (("card", "mail_digits"), 0, ".html"),
    "lineage": (("lineage", "mail-digits-1", "--usecase", "mail_digits"), 0, "mail-digits-1"),
    "parity": (("parity", "mail_digits"), 0, "low_share_14d"),
    "retain": (("retain", "mail_digits"), 0, ""),
    "votes": (("labels", "mail_digits", "votes"), 2, "labelling_functions"),
    "errors": (("labels", "mail_digits", "errors", "--fix", "20"), 0, "Relabelling the 20"),
    "queue": (("labels", "mail_digits", "queue", "--out", "queue.csv"), 0, "200 of 1,751 rows"),
    "explain": (("explain", "mail-digits-1"), 0, "mail-digits-1"),
    "loops": (("loops",), 0, "mail_digits"),
    "render": (("render", "mail_digits"), 0, "mail-digits"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_answers_or_says_why_not(name: str, turned: Turned) -> None:
    arguments, code, word = COMMANDS[name]
    done = turned.command(*arguments)
    assert done.returncode == code, done.stderr
    assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code:
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_review_counts_right_answers_as_positives(turned: Turned) -> None:
    done = turned.command("review", "mail_digits")
    assert done.returncode == 0, done.stderr
    (record,) = sorted((turned.place / "runs").rglob("review.json"))[-1:]
    periods = json.loads(record.read_text())["periods"]
    served = pd.read_parquet(turned.place / "runs" / "mail_digits" / "predictions.parquet")
    assert periods[0]["rows"] < len(served)
    assert all(0.7 < one["kpi"]["value"] < 0.97 for one in periods)


@pytest.mark.slow
def test_scope_compares_with_rules_of_classes(turned: Turned) -> None:
    done = turned.command("scope", "mail_digits", "--seconds", "60", timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads((turned.place / "scope.json").read_text())
    losses = {rule["name"]: rule["log_loss"] for rule in found["rules"]}
    assert losses["tree of depth 2"] < losses["one question"] < losses["constant"]
    assert losses["constant"] == pytest.approx(2.303, abs=0.02), "ten classes, equally often"
    assert found["verdict"]["verdict"] == "ML"
