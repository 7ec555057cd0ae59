"""Runs whose use case is declared in another way than the repository's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def rolling_out(folder: Path, policy: str) -> dict[str, str]:
    """Return the environment of a run whose use case has this rollout."""
    return changed(folder, {"rollout: {mode: direct}": f"rollout: {policy}"})


def changed(folder: Path, texts: dict[str, str]) -> dict[str, str]:
    """Return the environment of a run whose loop.yaml says other ``texts`` than the known ones."""
    shutil.copytree(ROOT / "usecases" / "ads_ctr", folder / "ads_ctr")
    loop = folder / "ads_ctr" / "loop.yaml"
    content = loop.read_text()
    for known, other in texts.items():
        assert content.count(known) == 1
        content = content.replace(known, other)
    loop.write_text(content)
    return {"DRIFTLOOP_USECASES": str(folder), "DRIFTLOOP_HOME": str(ROOT)}


def told(turned: Any, kind: str) -> list[dict]:
    return [event["data"] for event in turned.events if event["type"] == kind]
