"""The command tells a story, writes its page and its events, and refuses what is no story."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from driftloop import cli
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import from_dict

ROOT = Path(__file__).parents[3]
TINY = """
from datetime import UTC, datetime

from driftloop.stages.rules import RULES
from driftloop.stages.stage import Stage
from driftloop.story.chapter import Chapter


class Tiny:
    loop, title, lead = "tiny", "A <b>tiny</b> shop", "It is ill."

    def __init__(self, seed):
        self.ill = seed > 0

    def turn(self, stage):
        found = None
        if self.ill and stage is Stage.MODEL_DEVELOPMENT:
            found = RULES["label_errors"].returned("3 of 4 <i>labels</i> are wrong.")
        time = datetime(2026, 1, stage.number, tzinfo=UTC)
        review = "continue" if stage is Stage.BUSINESS_ANALYSIS else ""
        said = ("[red] is no markup",), (("n", "1"),)
        return Chapter(stage, time, stage.title, *said, found, review)

    def mend(self, returned):
        self.ill = False
        return True

    def outcome(self):
        return {"health": 4.0 if not self.ill else 1.0}


def play(seed):
    return Tiny(seed)
"""


@pytest.fixture
def usecases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "usecases" / "tiny_shop"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "usecases" / "ads_ctr" / "story.yaml", folder / "loop.yaml")
    (folder / "story.py").write_text(TINY)
    monkeypatch.setenv("DRIFTLOOP_USECASES", str(folder.parent))
    monkeypatch.chdir(tmp_path)
    return folder


def told(*words: str) -> int:
    return cli.guarded(lambda: cli.app([*words], standalone_mode=False))


def test_a_story_ends_in_a_page_and_its_events(
    usecases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told("story", "tiny_shop", "--out", "told") == 0
    said = capsys.readouterr().out
    assert "[red] is no markup" in said
    assert "Without label_errors (model development) it loses 75% of the health." in said
    page = (tmp_path / "told" / "story.html").read_text()
    assert "A &lt;b&gt;tiny&lt;/b&gt; shop" in page
    assert "3 of 4 &lt;i&gt;labels&lt;/i&gt; are wrong." in page
    assert "1.0 (-75%)" in page
    lines = (tmp_path / "told" / "events.jsonl").read_text().splitlines()
    kinds = [from_dict(json.loads(line)).type for line in lines]
    assert kinds == [event_types.STAGE_RETURNED, event_types.REVIEWED]
    found = json.loads((tmp_path / "told" / "story.json").read_text())
    assert found["without"]["label_errors"]["lost"] == {"health": 0.75}
    assert [chapter["stage"] for chapter in found["chapters"]][:4] == [
        "scoping",
        "data_engineering",
        "model_development",
        "data_engineering",
    ]


def test_a_story_without_a_way_back_is_told_once(usecases: Path, tmp_path: Path) -> None:
    assert told("story", "tiny-shop", "--seed", "0", "--out", "told") == 0
    page = (tmp_path / "told" / "story.html").read_text()
    assert "No stage sent the loop back." in page


def test_a_use_case_without_a_story_is_refused(
    usecases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (usecases / "story.py").unlink()
    assert told("story", "tiny_shop") == 2
    assert "story.py in" in capsys.readouterr().err


def test_a_story_that_gives_no_play_is_refused(
    usecases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = usecases.parent / "silent"
    shutil.copytree(usecases, silent)
    (silent / "story.py").write_text('"""Nothing yet."""\n')
    assert told("story", "silent") == 2
    assert "play(seed) in" in capsys.readouterr().err


def test_a_folder_with_other_files_is_left_alone(
    usecases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert told("story", "tiny_shop", "--out", "mine") == 2
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert "a folder with other files" in capsys.readouterr().err
