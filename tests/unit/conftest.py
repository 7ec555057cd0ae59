"""The loop that unit tests decide on: the ads' own, with the numbers that a test relies on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from driftloop import loop
from driftloop.loop import LearningLoop

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def content() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "usecases" / "ads_ctr" / "loop.yaml").read_text())


@pytest.fixture(scope="session")
def ads(content: dict[str, Any]) -> LearningLoop:
    policy = {
        "collect": "2d", "growth": 5, "maxAge": "60d", "cooldown": "2d", "dailyBudget": 1,
        "breaker": 3,
    }  # fmt: skip
    spec = content["spec"]
    changed = spec | {"retrain": spec["retrain"] | policy}
    return loop.parse(content | {"spec": changed}, "loop.yaml")
