"""Choices that a caller logs: the review of a run says what another policy would bring."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rollouts import ROOT

from driftloop import loop, usecase
from driftloop.scaffold import writing

pytestmark = pytest.mark.slow

ALTERNATIVE = """
  business:
    period: 5d
    prices: {returned: 1 EUR}
    floor: 0 EUR
    alternatives:
      - name: mail-only
        label: returned
        metric: log_loss
        direction: minimize
        kpi: {name: return_rate, formula: returned / impressions, unit: ratio}
"""
CHOSEN = """"weight": 1.0,
            # The caller picks a channel by lot.
            "propensity": 1 / 3,
            "propensity_mail_only": np.where(visits.channel == "mail", 1.0, 0.0),"""


@pytest.fixture
def usecases(tmp_path: Path) -> Path:
    """Return a folder with a use case whose caller chooses by lot and says so."""
    folder = writing.write("choices", tmp_path)
    for name, old, new in (
        ("loop.yaml", "  business: {period: 30d}", ALTERNATIVE.strip("\n")),
        ("data.py", '"weight": 1.0,', CHOSEN),
    ):
        content = (folder / name).read_text()
        assert content.count(old) == 1
        (folder / name).write_text(content.replace(old, new))
    return tmp_path


def test_a_run_is_enough_to_judge_an_alternative(
    usecases: Path, turn: Callable, command: Callable
) -> None:
    environ = {"DRIFTLOOP_USECASES": str(usecases), "DRIFTLOOP_HOME": str(ROOT)}
    turned = turn("--to", "2026-01-25", "--no-compare", usecase="choices", environ=environ)
    assert turned.code == 0, turned.stderr
    told = command("review", "choices", "--out", str(turned.out), environ=environ)
    assert told.returncode == 0, told.stderr
    (found,) = turned.out.rglob("review.json")
    (promise,) = json.loads(found.read_text())["promises"]
    assert promise["name"] == "mail-only"
    assert promise["faults"] == []
    low, high = promise["value"]["bootstrap"]
    assert low < _if_all_were_mailed(usecases / "choices") < high
    assert promise["gain"]["low"] > 0, "mail brings more people back than a channel by lot"


def _if_all_were_mailed(folder: Path) -> float:
    """Return the share that returns, as the simulator would have it with one channel."""
    data = usecase.load_module(folder, "choices", "data")
    declared = loop.read(folder / "loop.yaml")
    scenario = declared.parameters(data.SIMULATOR, data.Scenario)
    visits = data._visits(scenario, np.random.default_rng(1))
    before = visits.time < data.FIRST_DAY + 25 * data.DAY
    odds = np.log(visits.rate / (1 - visits.rate))
    shift = [data.CHANNELS.get(one, data.NEW_EFFECT) for one in visits.channel]
    mailed = 1 / (1 + np.exp(-(odds - shift + data.CHANNELS["mail"])))
    return float(mailed[before].mean())
