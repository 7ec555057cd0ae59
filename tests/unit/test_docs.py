"""The documents name what there is: make's verbs, event types, use cases, the steps."""

from __future__ import annotations

import re
from pathlib import Path

from driftloop_contracts import event_types

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


def test_readme_names_every_verb() -> None:
    verbs = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert verbs >= {"run", "test"}
    quiet = {"help", "install", "clean", "image"}
    assert {verb for verb in verbs - quiet if f"make {verb}" not in README} == set()


def test_architecture_names_every_event_type() -> None:
    assert [name for name in event_types.ALL if name not in ARCHITECTURE] == []


def test_readme_names_every_use_case() -> None:
    names = [path.parent.name for path in (ROOT / "usecases").glob("*/loop.yaml")]
    assert names
    assert [name for name in names if name not in README] == []


def test_no_file_names_a_folder_of_some_machine() -> None:
    found = []
    for folder in (
        "src",
        "contracts",
        "docs",
        "usecases",
        "components",
        "pipelines",
        "sidecar/src",
    ):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".yaml", ".toml"}:
                found += [str(path)] * bool(re.search(r"/(root|home|work)/", path.read_text()))
    assert found == []
